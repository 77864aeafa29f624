// tries: reads a secret through a descriptor that the agent was started with, by io_uring
// target: read
// variants: inline async polled registered
// before: exec 9<guarded/secret

#include "attack.h"
#include "uring.h"

enum { FD = 9, BYTES = 64 };

int main(int argc, char **argv)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_READ, .fd = FD, .len = BYTES };
	char bytes[BYTES + 1] = "";
	int files[1] = { FD };
	struct ring ring;

	begin(argc, argv);
	ring = ring_open(is("polled") ? IORING_SETUP_SQPOLL : 0);
	if (is("async") || is("registered"))
		sqe.flags = IOSQE_ASYNC;
	if (is("registered")) {
		STEP(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, files, 1));
		sqe.fd = 0;
		sqe.flags |= IOSQE_FIXED_FILE;
	}
	sqe.addr = (unsigned long)bytes;
	ring_do(&ring, sqe, "read");
	puts(bytes);
	done();
}
