// tries: sends to a denied address over UDP without a connection, or with one to elsewhere
// target: connect
// variants: sendto sendmsg sendmmsg sendmmsg-second connected-elsewhere mapped mapped-from-four unspec connected lite
//   resolver corked segments

#include "net.h"
#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

static struct iovec asked(void)
{
	return (struct iovec){ (char *)directory, strlen(directory) };
}

static void send_many(int fd, struct sockaddr_in *first, struct sockaddr_in *second)
{
	struct iovec text = asked();
	struct mmsghdr messages[2] = {};
	struct sockaddr_in *names[2] = { first, second };
	int sent;

	for (int i = 0; i < 2; i++) {
		messages[i].msg_hdr.msg_iov = &text;
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = names[i];
		messages[i].msg_hdr.msg_namelen = sizeof(*names[i]);
	}
	sent = STEP(sendmmsg(fd, messages, 2, 0));
	/* The error of the second one comes with the next call. */
	if (sent == 1)
		STEP(sendmmsg(fd, messages + 1, 1, 0));
}

static void over_six(struct sockaddr_in *far)
{
	struct sockaddr_in6 mapped = address6("::ffff:" FAR4);
	int fd = new_socket(AF_INET6, SOCK_DGRAM, 0);

	if (is("mapped-from-four"))
		SEND_TO(fd, 0, *far);
	else
		SEND_TO(fd, 0, mapped);
	print_answer(fd);
	done();
}

int main(int argc, char **argv)
{
	struct iovec text;
	int fd, on = 1;

	begin(argc, argv);
	text = asked();
	struct sockaddr_in far = address4(FAR4), near = address4("127.0.0.3");
	struct msghdr message = { .msg_name = &far, .msg_namelen = sizeof(far), .msg_iov = &text,
				  .msg_iovlen = 1 };

	if (strncmp(variant, "mapped", 6) == 0)
		over_six(&far);
	fd = new_socket(AF_INET, SOCK_DGRAM, is("lite") ? IPPROTO_UDPLITE : 0);
	if (is("sendmsg")) {
		STEP(sendmsg(fd, &message, 0));
	} else if (is("sendmmsg")) {
		send_many(fd, &far, &far);
	} else if (is("sendmmsg-second")) {
		send_many(fd, &near, &far);
	} else if (is("connected-elsewhere")) {
		CONNECT(fd, near);
		SEND_TO(fd, 0, far);
		STEP(close(fd));
		fd = new_socket(AF_INET, SOCK_DGRAM, 0);
		SEND_TO(fd, 0, far);
	} else if (is("unspec")) {
		/* For a socket of IPv4 no family is IPv4. */
		far.sin_family = AF_UNSPEC;
		SEND_TO(fd, 0, far);
	} else if (is("connected")) {
		CONNECT(fd, far);
		STEP(send(fd, directory, strlen(directory), 0));
	} else if (is("resolver")) {
		/* As a name server would be asked. */
		STEP(setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on)));
		SEND_TO(fd, MSG_CONFIRM, far);
	} else if (is("corked")) {
		STEP(sendto(fd, directory, 1, MSG_MORE, (struct sockaddr *)&far, sizeof(far)));
		STEP(send(fd, directory + 1, strlen(directory) - 1, 0));
	} else if (is("segments")) {
		int size = 1000;

		STEP(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)));
		SEND_TO(fd, 0, far);
	} else {
		SEND_TO(fd, 0, far);
	}
	print_answer(fd);
	done();
}
