// tries: changes what is protected through io_uring, in the call, by a worker thread, and by the kernel's polling thread
// target: write
// variants: open-inline open-async open-polled unlink-inline unlink-async unlink-polled rename-inline rename-async
//           rename-polled link-inline link-async link-polled mkdir-inline mkdir-async mkdir-polled symlink-inline
//           symlink-async symlink-polled setxattr-inline setxattr-async setxattr-polled
// event: locked/file locked/new

#include "attack.h"
#include "uring.h"

#define NEW "locked/new"

static struct io_uring_sqe operation(void)
{
	struct io_uring_sqe sqe = { .fd = AT_FDCWD, .addr = (unsigned long)LOCKED, .addr2 = (unsigned long)"free/new" };

	if (strncmp(variant, "open", 4) == 0) {
		sqe.opcode = IORING_OP_OPENAT;
		sqe.addr2 = 0;
		sqe.open_flags = O_WRONLY | O_TRUNC;
	} else if (strncmp(variant, "unlink", 6) == 0) {
		sqe.opcode = IORING_OP_UNLINKAT;
		sqe.addr2 = 0;
	} else if (strncmp(variant, "rename", 6) == 0) {
		sqe.opcode = IORING_OP_RENAMEAT;
		sqe.len = AT_FDCWD;
	} else if (strncmp(variant, "link", 4) == 0) {
		sqe.opcode = IORING_OP_LINKAT;
		sqe.len = AT_FDCWD;
	} else if (strncmp(variant, "mkdir", 5) == 0) {
		sqe.opcode = IORING_OP_MKDIRAT;
		sqe.addr = (unsigned long)NEW;
		sqe.addr2 = 0;
		sqe.len = 0700;
	} else if (strncmp(variant, "symlink", 7) == 0) {
		sqe.opcode = IORING_OP_SYMLINKAT;
		sqe.addr = (unsigned long)"/gone";
		sqe.addr2 = (unsigned long)NEW;
	} else {
		sqe.opcode = IORING_OP_SETXATTR;
		sqe.fd = 0;
		sqe.addr = (unsigned long)"user.new";
		sqe.addr2 = (unsigned long)"x";
		sqe.addr3 = (unsigned long)LOCKED;
		sqe.len = 1;
	}
	return sqe;
}

int main(int argc, char **argv)
{
	struct io_uring_sqe sqe;
	struct ring ring;

	begin(argc, argv);
	ring = ring_open(strstr(variant, "polled") ? IORING_SETUP_SQPOLL : 0);
	sqe = operation();
	if (strstr(variant, "async"))
		sqe.flags = IOSQE_ASYNC;
	ring_do(&ring, sqe, variant);
	done();
}
