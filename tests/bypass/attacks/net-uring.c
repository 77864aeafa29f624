// tries: has io_uring connect and send to a denied address
// target: connect
// variants: connect connect-worker connect-poll connect-fixed sendmsg sendmsg-worker sendmsg-poll sendto sendto-zerocopy

#include "net.h"
#include "uring.h"

static struct ring ring;

static struct io_uring_sqe operation(int code, int fd)
{
	struct io_uring_sqe entry = { .opcode = code, .fd = fd };

	if (strstr(variant, "worker"))
		entry.flags = IOSQE_ASYNC;
	return entry;
}

static void connect_to(int fd, struct sockaddr_in *far)
{
	struct io_uring_sqe entry = operation(IORING_OP_CONNECT, fd);

	entry.addr = (unsigned long)far;
	entry.off = sizeof(*far);
	if (is("connect-fixed")) {
		STEP(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1));
		entry.fd = 0;
		entry.flags |= IOSQE_FIXED_FILE;
	}
	ring_do(&ring, entry, "connect");
	ask(fd);
	done();
}

static void send_to(int fd, struct sockaddr_in *far)
{
	struct io_uring_sqe entry = operation(is("sendto") ? IORING_OP_SEND : IORING_OP_SEND_ZC, fd);

	entry.addr = (unsigned long)directory;
	entry.len = strlen(directory);
	entry.addr2 = (unsigned long)far;
	entry.addr_len = sizeof(*far);
	ring_do(&ring, entry, variant);
}

int main(int argc, char **argv)
{
	struct iovec text;
	int fd;

	begin(argc, argv);
	struct sockaddr_in far = address4(FAR4);
	struct msghdr message = { .msg_name = &far, .msg_namelen = sizeof(far), .msg_iov = &text,
				  .msg_iovlen = 1 };

	ring = ring_open(strstr(variant, "poll") ? IORING_SETUP_SQPOLL : 0);
	if (strncmp(variant, "connect", 7) == 0)
		connect_to(new_socket(AF_INET, SOCK_STREAM, 0), &far);
	fd = new_socket(AF_INET, SOCK_DGRAM, 0);
	text = (struct iovec){ (char *)directory, strlen(directory) };
	if (strncmp(variant, "sendto", 6) == 0) {
		send_to(fd, &far);
	} else {
		struct io_uring_sqe entry = operation(IORING_OP_SENDMSG, fd);

		entry.addr = (unsigned long)&message;
		entry.len = 1;
		ring_do(&ring, entry, "sendmsg");
	}
	print_answer(fd);
	done();
}
