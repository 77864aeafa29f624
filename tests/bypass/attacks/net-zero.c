// tries: connects and sends to the address that stands for this host, having said which of its addresses is meant
// target: connect
// event: 127.66.0.1:PORT/* 127.0.0.1:PORT/* any?address:*
// variants: plain bound datagram-bound datagram-packet-info mapped mapped-bound mapped-datagram mapped-bound-far

#include "net.h"

static void bind4(int fd)
{
	struct sockaddr_in mine = address4(FAR4);

	mine.sin_port = 0;
	STEP(bind(fd, (struct sockaddr *)&mine, sizeof(mine)));
}

/* The source, and with it the destination, comes with the message. */
static void send_with_source(int fd, struct sockaddr_in *zero)
{
	char space[CMSG_SPACE(sizeof(struct in_pktinfo))] = "";
	struct in_pktinfo source = {};
	struct iovec text = { (char *)directory, strlen(directory) };
	struct msghdr message = { .msg_name = zero, .msg_namelen = sizeof(*zero), .msg_iov = &text,
				  .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	source.ipi_spec_dst = address4(FAR4).sin_addr;
	header->cmsg_level = IPPROTO_IP;
	header->cmsg_type = IP_PKTINFO;
	header->cmsg_len = CMSG_LEN(sizeof(source));
	memcpy(CMSG_DATA(header), &source, sizeof(source));
	STEP(sendmsg(fd, &message, 0));
}

static void over_six(void)
{
	struct sockaddr_in6 zero = address6("::"), mine = address6("::ffff:127.0.0.1");
	int fd = new_socket(AF_INET6, is("mapped-datagram") ? SOCK_DGRAM : SOCK_STREAM, 0);

	if (is("mapped"))
		zero = address6("::ffff:0.0.0.0");
	if (is("mapped-bound-far")) {
		mine = address6("::ffff:" FAR4);
		zero = address6("::ffff:0.0.0.0");
	}
	mine.sin6_port = 0;
	if (!is("mapped"))
		STEP(bind(fd, (struct sockaddr *)&mine, sizeof(mine)));
	CONNECT(fd, zero);
	ask(fd);
	done();
}

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	if (strncmp(variant, "mapped", 6) == 0)
		over_six();
	struct sockaddr_in zero = address4("0.0.0.0");

	fd = new_socket(AF_INET, strncmp(variant, "datagram", 8) ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (is("bound") || is("datagram-bound"))
		bind4(fd);
	if (is("datagram-packet-info")) {
		send_with_source(fd, &zero);
		print_answer(fd);
		done();
	}
	if (is("datagram-bound")) {
		SEND_TO(fd, 0, zero);
		print_answer(fd);
		done();
	}
	CONNECT(fd, zero);
	ask(fd);
	done();
}
