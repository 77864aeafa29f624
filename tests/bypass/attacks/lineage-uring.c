// tries: has io_uring open the secret: at once, in a worker, in the thread that polls
// target: read
// variants: inline worker poll poll-worker linked

#include "uring.h"

int main(int argc, char **argv)
{
	struct io_uring_sqe entry = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				      .addr = (unsigned long)SECRET, .open_flags = O_RDONLY };
	struct ring ring;

	begin(argc, argv);
	ring = ring_open(strncmp(variant, "poll", 4) == 0 ? IORING_SETUP_SQPOLL : 0);
	if (is("linked")) {
		/* The ring of the parent, used by a child. */
		int status;
		pid_t child = STEP(fork());

		if (child) {
			STEP(waitpid(child, &status, 0));
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN);
		}
	}
	if (is("worker") || is("poll-worker"))
		entry.flags = IOSQE_ASYNC;
	print_all(ring_do(&ring, entry, "openat"));
	done();
}
