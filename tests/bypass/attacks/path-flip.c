// tries: changes the path in memory while the kernel looks at it
// target: read
// variants: open openat2 uring

#include "uring.h"
#include <linux/openat2.h>
#include <pthread.h>

enum { TRIES = 20000, REFUSALS = 500, PAUSE = 2000 };

#define HARMLESS "guarded/../free/file"
#define HARMFUL "free/../guarded/secret"

static char path[64] = HARMLESS;
static volatile int ended;

static void *flip(void *unused)
{
	static const char *const names[] = { HARMFUL "\0", HARMLESS "\0\0" };

	(void)unused;
	for (int turn = 0; !ended; turn++) {
		memcpy(path, names[turn & 1], sizeof(HARMFUL));
		for (int i = 0; i < PAUSE && !ended; i++)
			__builtin_ia32_pause();
	}
	return NULL;
}

static int open_once(struct ring *ring)
{
	struct open_how how = { .flags = O_RDONLY };
	struct io_uring_sqe entry = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .flags = IOSQE_ASYNC,
				      .addr = (unsigned long)path, .open_flags = O_RDONLY };

	if (is("openat2"))
		return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (is("uring"))
		return ring_result(ring, entry);
	return open(path, O_RDONLY);
}

int main(int argc, char **argv)
{
	int refused = 0, opened = 0, tries = 0;
	struct ring ring = { 0 };
	struct stat secret, seen;
	pthread_t thread;

	begin(argc, argv);
	STEP(stat(SECRET, &secret));
	if (is("uring"))
		ring = ring_open(0);
	if (pthread_create(&thread, NULL, flip, NULL))
		broken("no thread");
	for (; tries < TRIES && !opened && refused < REFUSALS; tries++) {
		int fd;

		/* The other thread may have to share the processor. */
		sched_yield();
		errno = 0;
		fd = open_once(&ring);
		if (fd >= 0 && fstat(fd, &seen) == 0 && seen.st_ino == secret.st_ino) {
			opened = 1;
			print_all(fd);
		}
		refused += fd < 0 && errno == EPERM;
		if (fd >= 0)
			close(fd);
	}
	ended = 1;
	pthread_join(thread, NULL);
	printf("%d tries, %d opened, %d refused\n", tries, opened, refused);
	if (opened)
		done();
	if (!refused)
		broken("it never named the secret");
	denied_with(EPERM, "every open of the secret");
}
