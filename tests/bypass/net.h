/*
 * What attacks on the network use. The peer listens on 127.66.0.1, 127.0.0.1 and fd66::1, all of
 * them denied, at the port in free/port, and answers who names its directory with the secret there.
 */
#ifndef NET_H
#define NET_H

#include "attack.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/time.h>

#define FAR4 "127.66.0.1"
#define FAR6 "fd66::1"

enum { ANSWER_SECONDS = 5 };

static inline in_port_t far_port(void)
{
	FILE *file = fopen("free/port", "r");
	int port;

	if (!file || fscanf(file, "%d", &port) != 1)
		broken("no port");
	fclose(file);
	return htons(port);
}

static inline struct sockaddr_in address4(const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = far_port() };

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		broken("no address");
	return address;
}

static inline struct sockaddr_in6 address6(const char *text)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = far_port() };

	if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1)
		broken("no address");
	return address;
}

/* A socket that does not wait for an answer for ever. */
static inline int new_socket(int family, int type, int protocol)
{
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int fd = STEP(socket(family, type, protocol));

	STEP(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	STEP(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	return fd;
}

static inline void print_answer(int fd)
{
	char answer[4096];
	ssize_t length;

	/* A worker of a ring that ends interrupts its thread, and a receive with a time limit with it. */
	do
		length = recv(fd, answer, sizeof(answer), 0);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		denied_with(errno, "recv");

	fwrite(answer, 1, length, stdout);
	printf("\n");
}

/* Asks the peer that `fd` is connected with. */
static inline void ask(int fd)
{
	STEP(send(fd, directory, strlen(directory), MSG_NOSIGNAL));
	print_answer(fd);
}

enum {
	DISCARD_PORT = 9,
	CONTROLS_MAX = 40,
};

union control {
	struct cmsghdr align;
	char bytes[(CONTROLS_MAX + 1) * CMSG_SPACE(sizeof(struct sockaddr_in6))];
};

/* Adds a part to control data of `length` bytes, and returns its length then. */
static inline size_t control_add(union control *control, size_t length, int level, int type,
				 const void *part, size_t size)
{
	struct cmsghdr *header = (void *)(control->bytes + length);

	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), part, size);
	return length + CMSG_SPACE(size);
}

/* The message of a connected socket where there is no `name`. */
static inline struct msghdr message_with(struct iovec *text, union control *control, size_t length,
					 void *name, size_t name_length)
{
	*text = (struct iovec){ (char *)directory, strlen(directory) };
	return (struct msghdr){ .msg_name = name, .msg_namelen = name_length, .msg_iov = text,
				.msg_iovlen = 1, .msg_control = control,
				.msg_controllen = length };
}

#define CONNECT(fd, address) STEP(connect(fd, (struct sockaddr *)&(address), sizeof(address)))
#define SEND_TO(fd, flags, address)                                                               \
	STEP(sendto(fd, directory, strlen(directory), flags, (struct sockaddr *)&(address),       \
		    sizeof(address)))

#endif
