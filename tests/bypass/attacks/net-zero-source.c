// tries: sends to the address that stands for this host, with the address that is meant beside the message
// target: connect
// allowed: no
// event: *any?address:*

#include "net.h"

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

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	struct sockaddr_in zero = address4("0.0.0.0");

	fd = new_socket(AF_INET, SOCK_DGRAM, 0);
	send_with_source(fd, &zero);
	print_answer(fd);
	done();
}
