// tries: sends to an allowed address by a source route whose first stop is a denied one, which gets the packets
// target: self
// who: root
// allowed: no
// event: *any?address:*
// action: net_connect
// variants: option option-stream option-dual message message-connected message-last message-many ring

#include "net.h"
#include "uring.h"

enum { ROUTE_LOOSE = 131 };	/* RFC 791 */

struct route {
	unsigned char kind, length, next;
	struct in_addr stop;
} __attribute__((packed));

static struct route route = { .kind = ROUTE_LOOSE, .length = sizeof(route), .next = 4 };
static struct sockaddr_in allowed;

static void by_option(void)
{
	/* A socket of IPv6 that speaks IPv4 has the options of both. */
	int fd = new_socket(is("option-dual") ? AF_INET6 : AF_INET,
			    is("option-stream") ? SOCK_STREAM : SOCK_DGRAM, 0);

	STEP(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, &route, sizeof(route)));
	if (is("option"))
		SEND_TO(fd, 0, allowed);
}

static void by_message(void)
{
	int fd = new_socket(AF_INET, SOCK_DGRAM, 0), ttl = 64, connected = is("message-connected");
	int plain = is("message-last") ? 3 : is("message-many") ? CONTROLS_MAX : 0;
	union control control = {};
	struct msghdr message;
	struct iovec text;
	size_t length = 0;

	/* Parts that change nothing. */
	while (plain--)
		length = control_add(&control, length, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	length = control_add(&control, length, IPPROTO_IP, IP_RETOPTS, &route, sizeof(route));
	if (connected)
		CONNECT(fd, allowed);
	message = message_with(&text, &control, length, connected ? 0 : &allowed,
			       connected ? 0 : sizeof(allowed));
	if (is("ring")) {
		struct ring ring = ring_open(0);
		struct io_uring_sqe entry = { .opcode = IORING_OP_SENDMSG, .fd = fd, .len = 1,
					      .addr = (unsigned long)&message };

		ring_do(&ring, entry, "sendmsg");
	} else {
		STEP(sendmsg(fd, &message, 0));
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	route.stop = address4(FAR4).sin_addr;
	allowed = address4("127.0.0.3");
	allowed.sin_port = htons(DISCARD_PORT);
	if (strncmp(variant, "option", 6) == 0)
		by_option();
	else
		by_message();
	done();
}
