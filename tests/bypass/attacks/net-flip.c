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

static int try_once(void)
{
	struct iovec text = { (char *)directory, strlen(directory) };
	struct mmsghdr message = { .msg_hdr = { .msg_name = (void *)&shown, .msg_iov = &text,
						.msg_namelen = sizeof(shown), .msg_iovlen = 1 } };
	int fd = STEP(socket(AF_INET, is("connect") ? SOCK_STREAM : SOCK_DGRAM | SOCK_NONBLOCK, 0));
	int got = 0;

	if (is("connect")) {
		got = connect(fd, (struct sockaddr *)&shown, sizeof(shown)) == 0;
	} else if (is("sendto")) {
		sendto(fd, directory, strlen(directory), 0, (struct sockaddr *)&shown, sizeof(shown));
	} else {
		sendmmsg(fd, &message, 1, 0);
	}
	if (!is("connect")) {
		char answer[256];
		ssize_t length;

		/* The peer answers when it comes to it. */
		for (int wait = 0; wait < 3 && !got; wait++) {
			length = recv(fd, answer, sizeof(answer), 0);
			if (length > 0) {
				fwrite(answer, 1, length, stdout);
				printf("\n");
				return 1;
			}
			sched_yield();
		}
	} else if (got) {
		ask(fd);
	}
	close(fd);
	return got;
}

int main(int argc, char **argv)
{
	struct timespec start, now;
	pthread_t thread;
	int tries = 0, got = 0;

	begin(argc, argv);
	wanted = address4(FAR4);
	*(struct sockaddr_in *)&shown = wanted;
	STEP(clock_gettime(CLOCK_MONOTONIC, &start));
	if (pthread_create(&thread, NULL, flip, NULL))
		broken("no thread");
	do {
		got = try_once();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!got && ++tries < FLIP_TRIES && now.tv_sec - start.tv_sec < FLIP_SECONDS);
	stop = 1;
	printf("%d tries\n", tries);
	if (got)
		done();
	denied_with(EPERM, "each time");
}
