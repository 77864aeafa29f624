// tries: reads a secret through a descriptor that the agent was started with
// target: read
// variants: read pread readv sendfile splice copy-range mmap mmap-later reopen child
// before: exec 9<guarded/secret

#include "attack.h"
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { FD = 9, BYTES = 64 };

static ssize_t mapped(char *to, int later)
{
	char *bytes = mmap(NULL, 4096, later ? PROT_NONE : PROT_READ, MAP_PRIVATE, FD, 0);

	if (bytes == MAP_FAILED)
		return -1;
	if (later && mprotect(bytes, 4096, PROT_READ))
		return -1;
	memcpy(to, bytes, BYTES);
	return strnlen(to, BYTES);
}

/* What the kernel moves without passing through the process. */
static ssize_t moved(char *to)
{
	int ends[2], file;

	if (is("copy-range")) {
		file = STEP(open("free/copy", O_RDWR | O_CREAT, 0600));
		STEP(copy_file_range(FD, NULL, file, NULL, BYTES, 0));
		return pread(file, to, BYTES, 0);
	}
	STEP(pipe(ends));
	if (is("splice"))
		STEP(splice(FD, NULL, ends[1], NULL, BYTES, 0));
	else
		STEP(sendfile(ends[1], FD, NULL, BYTES));
	return read(ends[0], to, BYTES);
}

static ssize_t go(char *to)
{
	struct iovec vector = { to, BYTES };

	if (is("read") || is("child"))
		return read(FD, to, BYTES);
	if (is("pread"))
		return pread(FD, to, BYTES, 0);
	if (is("readv"))
		return readv(FD, &vector, 1);
	if (is("mmap") || is("mmap-later"))
		return mapped(to, is("mmap-later"));
	if (is("reopen"))
		return read(STEP(open("/proc/self/fd/9", O_RDONLY)), to, BYTES);
	return moved(to);
}

int main(int argc, char **argv)
{
	char bytes[BYTES + 1] = "";
	int status;

	begin(argc, argv);
	if (is("child") && STEP(fork())) {
		STEP(wait(&status));
		_exit(WEXITSTATUS(status));
	}
	STEP(go(bytes));
	fwrite(bytes, 1, strnlen(bytes, BYTES), stdout);
	done();
}
