// tries: opens and reads a secret through io_uring, in the call, by a worker thread, and by the kernel's polling thread
// target: read
// variants: openat-inline openat-async openat-polled openat2-inline openat2-async openat2-polled direct-inline
//           direct-async direct-polled

#include "attack.h"
#include "uring.h"
#include <linux/openat2.h>

enum { BYTES = 64 };

int main(int argc, char **argv)
{
	struct open_how how = { .flags = O_RDONLY };
	struct ring ring;
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)SECRET,
				    .open_flags = O_RDONLY };
	struct io_uring_sqe read = { .opcode = IORING_OP_READ, .len = BYTES };
	char bytes[BYTES + 1] = "";
	int direct, async, none[1] = { -1 };

	begin(argc, argv);
	ring = ring_open(strstr(variant, "polled") ? IORING_SETUP_SQPOLL : 0);
	async = strstr(variant, "async") ? IOSQE_ASYNC : 0;
	direct = strncmp(variant, "direct", 6) == 0;
	if (strncmp(variant, "openat-", 7) != 0) {
		sqe.opcode = IORING_OP_OPENAT2;
		sqe.open_flags = 0;
		sqe.len = sizeof(how);
		sqe.off = (unsigned long)&how;
	}
	if (direct) {
		/* Into the ring's own table: there is never a descriptor. */
		STEP(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, 1));
		sqe.file_index = 1;
		read.flags = IOSQE_FIXED_FILE;
	}
	sqe.flags |= async;
	read.flags |= async;
	read.fd = ring_do(&ring, sqe, "open");
	read.addr = (unsigned long)bytes;
	ring_do(&ring, read, "read");
	puts(bytes);
	done();
}
