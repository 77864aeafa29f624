// tries: sends to an allowed IPv6 address by a route whose first stop is a denied one, which gets the packets
// target: self
// allowed: no
// event: *any?address:*
// action: net_connect
// variants: segments home sticky label message message-connected message-old

#include "net.h"

enum {
	ROUTE_HOME = 2,		/* RFC 6275: one stop; the kind that goes with a message or a flow label */
	ROUTE_SEGMENTS = 4,	/* RFC 8754 */
	OLD_ROUTE = 5,		/* IPV6_2292RTHDR */
	OLD_OPTIONS = 6,	/* IPV6_2292PKTOPTIONS */
	FLOW_LABELS = 32,	/* IPV6_FLOWLABEL_MGR */
};

struct route {
	unsigned char next_header, length, kind, left, last, flags;
	unsigned short tag;
	struct in6_addr stops[2];
};

/* What <linux/in6.h> calls in6_flowlabel_req; it does not go with <netinet/in.h>. */
struct wanted {
	struct in6_addr to;
	unsigned int label;
	unsigned char action, share;
	unsigned short flags, expires, linger;
	unsigned int reserved;
	union control control;
};

int main(int argc, char **argv)
{
	struct route route = { .length = 2, .kind = ROUTE_HOME, .left = 1 };
	size_t length, size = sizeof(route) - sizeof(route.stops[1]);
	struct wanted wanted = { .share = 1, .flags = 1 };
	int fd = new_socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 allowed;
	struct msghdr message;
	struct iovec text;

	begin(argc, argv);
	allowed = address6("::1");
	allowed.sin6_port = htons(DISCARD_PORT);
	route.stops[0] = address6(FAR6).sin6_addr;
	if (is("segments")) {
		route = (struct route){ .length = 4, .kind = ROUTE_SEGMENTS, .left = 1, .last = 1,
					.stops[1] = route.stops[0] };
		size = sizeof(route);
	}
	length = control_add(&wanted.control, 0, IPPROTO_IPV6,
			     is("message-old") ? OLD_ROUTE : IPV6_RTHDR, &route, size);
	if (is("segments") || is("home")) {
		STEP(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, size));
		SEND_TO(fd, 0, allowed);
	} else if (is("sticky")) {
		STEP(setsockopt(fd, IPPROTO_IPV6, OLD_OPTIONS, &wanted.control, length));
	} else if (is("label")) {
		wanted.to = allowed.sin6_addr;
		STEP(setsockopt(fd, IPPROTO_IPV6, FLOW_LABELS, &wanted,
				offsetof(struct wanted, control) + length));
	} else {
		int connected = is("message-connected");

		if (connected)
			CONNECT(fd, allowed);
		message = message_with(&text, &wanted.control, length, connected ? 0 : &allowed,
				       connected ? 0 : sizeof(allowed));
		STEP(sendmsg(fd, &message, 0));
	}
	done();
}
