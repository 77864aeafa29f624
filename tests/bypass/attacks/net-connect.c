// tries: connects to a denied address over TCP and asks for the secret
// target: connect
// variants: plain nonblocking mapped second again unspec-first fast-open fast-open-connect multipath bound
//   transparent addrform child namespace

#include "net.h"
#include <netinet/tcp.h>
#include <poll.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static void connect_nonblocking(int fd, struct sockaddr_in *far)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	STEP(fcntl(fd, F_SETFL, O_NONBLOCK));
	if (connect(fd, (struct sockaddr *)far, sizeof(*far)) && errno != EINPROGRESS)
		denied_with(errno, "connect");
	STEP(poll(&writable, 1, ANSWER_SECONDS * 1000));
	STEP(fcntl(fd, F_SETFL, 0));
}

/* Something that refuses, so that the socket had another address before. */
static void connect_elsewhere(int fd)
{
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_port = htons(1) };
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	inet_pton(AF_INET, "127.0.0.3", &other.sin_addr);
	if (connect(fd, (struct sockaddr *)&other, sizeof(other)) == 0)
		broken("somebody listens there");
	connect(fd, &none, sizeof(none));
}

static void in_child(int fd, struct sockaddr_in *far)
{
	int status;
	pid_t child = STEP(fork());

	if (!child) {
		CONNECT(fd, *far);
		ask(fd);
		done();
	}
	STEP(waitpid(child, &status, 0));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN);
}

int main(int argc, char **argv)
{
	int fd, on = 1;

	begin(argc, argv);
	struct sockaddr_in far = address4(FAR4);
	struct sockaddr_in6 far6 = address6("::ffff:" FAR4);

	if (is("mapped") || is("addrform")) {
		fd = new_socket(AF_INET6, SOCK_STREAM, 0);
		CONNECT(fd, far6);
		if (is("addrform")) {
			int family = AF_INET;

			STEP(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
		}
		ask(fd);
		done();
	}
	fd = new_socket(AF_INET, SOCK_STREAM, is("multipath") ? IPPROTO_MPTCP : 0);
	if (is("nonblocking")) {
		connect_nonblocking(fd, &far);
	} else if (is("second") || is("unspec-first")) {
		if (is("second")) {
			connect_elsewhere(fd);
		} else {
			struct sockaddr none = { .sa_family = AF_UNSPEC };

			connect(fd, &none, sizeof(none));
		}
		CONNECT(fd, far);
	} else if (is("again")) {
		/* Refused once is refused again. */
		if (connect(fd, (struct sockaddr *)&far, sizeof(far)) && errno != EPERM)
			broken("connect");
		if (connect(fd, (struct sockaddr *)&far, sizeof(far)) && errno != EISCONN)
			denied_with(errno, "connect");
	} else if (is("fast-open")) {
		SEND_TO(fd, MSG_FASTOPEN, far);
		print_answer(fd);
		done();
	} else if (is("fast-open-connect")) {
		STEP(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)));
		CONNECT(fd, far);
	} else if (is("bound")) {
		struct sockaddr_in mine = far;

		mine.sin_port = 0;
		STEP(bind(fd, (struct sockaddr *)&mine, sizeof(mine)));
		CONNECT(fd, far);
	} else if (is("transparent")) {
		setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
		CONNECT(fd, far);
	} else if (is("child")) {
		in_child(fd, &far);
	} else if (is("namespace")) {
		/* The socket stays in the namespace it was made in. */
		STEP(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET));
		CONNECT(fd, far);
	} else {
		CONNECT(fd, far);
	}
	ask(fd);
	done();
}
