// tries: connects and sends to a denied IPv6 address
// target: connect
// event: [fd66::1]:PORT/*
// variants: plain scope short datagram datagram-connected flow

#include "net.h"

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	struct sockaddr_in6 far = address6(FAR6);

	fd = new_socket(AF_INET6, strncmp(variant, "datagram", 8) ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (is("scope"))
		far.sin6_scope_id = 1;
	if (is("flow"))
		far.sin6_flowinfo = htonl(0x12345);
	if (is("datagram")) {
		SEND_TO(fd, 0, far);
		print_answer(fd);
		done();
	}
	/* Without the scope, as RFC 2133 had it. */
	STEP(connect(fd, (struct sockaddr *)&far, is("short") ? 24 : sizeof(far)));
	ask(fd);
	done();
}
