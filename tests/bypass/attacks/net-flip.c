// tries: changes the address in memory while the kernel looks at it
// target: connect
// variants: connect sendto sendmmsg

#include "net.h"
#include <pthread.h>

enum { FLIP_TRIES = 2000, FLIP_SECONDS = 3 };

static struct sockaddr_in wanted;
static volatile struct sockaddr_in shown;
static volatile int stop;

static void *flip(void *nothing)
{
	in_addr_t near = address4("127.0.0.3").sin_addr.s_addr, far = wanted.sin_addr.s_addr;

	while (!stop)
		shown.sin_addr.s_addr = shown.sin_addr.s_addr == far ? near : far;
	return nothing;
}

static int answered(int fd, int flags)
{
	char answer[256];
	ssize_t length = recv(fd, answer, sizeof(answer), flags);

	if (length <= 0)
		return 0;
	fwrite(answer, 1, length, stdout);
	printf("\n");
	return 1;
}

static int try_connect(void)
{
	int fd = new_socket(AF_INET, SOCK_STREAM, 0);
	int got = connect(fd, (struct sockaddr *)&shown, sizeof(shown)) == 0;

	if (got)
		ask(fd);
	close(fd);
	return got;
}

/* The peer answers when it comes to it. */
static int try_send(int fd)
{
	struct iovec text = { (char *)directory, strlen(directory) };
	struct mmsghdr message = { .msg_hdr = { .msg_name = (void *)&shown, .msg_iov = &text,
						.msg_namelen = sizeof(shown), .msg_iovlen = 1 } };

	if (is("sendto"))
		sendto(fd, directory, strlen(directory), 0, (struct sockaddr *)&shown, sizeof(shown));
	else
		sendmmsg(fd, &message, 1, 0);
	return answered(fd, MSG_DONTWAIT);
}

int main(int argc, char **argv)
{
	struct timespec start, now;
	pthread_t thread;
	int tries = 0, got = 0, fd;

	begin(argc, argv);
	fd = new_socket(AF_INET, SOCK_DGRAM, 0);
	wanted = address4(FAR4);
	*(struct sockaddr_in *)&shown = wanted;
	STEP(clock_gettime(CLOCK_MONOTONIC, &start));
	if (pthread_create(&thread, NULL, flip, NULL))
		broken("no thread");
	do {
		got = is("connect") ? try_connect() : try_send(fd);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!got && ++tries < FLIP_TRIES && now.tv_sec - start.tv_sec < FLIP_SECONDS);
	stop = 1;
	if (!got && !is("connect"))
		got = answered(fd, 0);
	printf("%d tries\n", tries);
	if (got)
		done();
	denied_with(EPERM, "each time");
}
