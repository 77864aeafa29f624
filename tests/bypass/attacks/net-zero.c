// tries: connects and sends to the address that stands for this host, having said which of its addresses is meant
// target: connect
// event: 127.66.0.1:PORT/* 127.0.0.1:PORT/*
// variants: plain bound datagram-bound mapped mapped-bound mapped-datagram mapped-bound-far

#include "net.h"

static void bind4(int fd)
{
	struct sockaddr_in mine = address4(FAR4);

	mine.sin_port = 0;
	STEP(bind(fd, (struct sockaddr *)&mine, sizeof(mine)));
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
	if (is("datagram-bound")) {
		SEND_TO(fd, 0, zero);
		print_answer(fd);
		done();
	}
	CONNECT(fd, zero);
	ask(fd);
	done();
}
