// tries: changes a protected file through a descriptor that the agent was started with
// target: write
// variants: write pwrite writev truncate allocate punch splice sendfile copy-range mmap mmap-later
//           reopen pass
// before: exec 9<>locked/file
// setup: head -c 8192 /dev/zero > locked/file

#include "attack.h"
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { FD = 9, BYTES = 8 };

static long mapped(int later)
{
	int first = later ? PROT_READ : PROT_READ | PROT_WRITE;
	char *bytes = mmap(NULL, 4096, first, MAP_SHARED, FD, 0);

	if (bytes == MAP_FAILED)
		return -1;
	if (later && mprotect(bytes, 4096, PROT_READ | PROT_WRITE))
		return -1;
	memcpy(bytes, "written", BYTES);
	return msync(bytes, 4096, MS_SYNC);
}

static long from_pipe(void)
{
	int ends[2];

	STEP(pipe(ends));
	STEP(write(ends[1], "written", BYTES));
	return splice(ends[0], NULL, FD, NULL, BYTES, 0);
}

static long go(void)
{
	struct iovec vector = { "written", BYTES };
	int from = STEP(open("free/file", O_RDONLY));

	if (is("write"))
		return write(FD, "written", BYTES);
	if (is("pwrite"))
		return pwrite(FD, "written", BYTES, 4096);
	if (is("writev"))
		return writev(FD, &vector, 1);
	if (is("truncate"))
		return ftruncate(FD, 1);
	if (is("allocate"))
		return fallocate(FD, 0, 0, 1 << 16);
	if (is("punch"))
		return fallocate(FD, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	if (is("splice"))
		return from_pipe();
	if (is("sendfile"))
		return sendfile(FD, from, NULL, BYTES);
	if (is("copy-range"))
		return copy_file_range(from, NULL, FD, NULL, BYTES, 0);
	if (is("mmap"))
		return mapped(0);
	if (is("mmap-later"))
		return mapped(1);
	if (is("reopen"))
		return write(STEP(open("/proc/self/fd/9", O_WRONLY)), "written", BYTES);
	/* By a child's child. */
	if (STEP(fork()) == 0) {
		STEP(write(FD, "written", BYTES));
		done();
	}
	int status;

	STEP(wait(&status));
	_exit(WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	STEP(go());
	done();
}
