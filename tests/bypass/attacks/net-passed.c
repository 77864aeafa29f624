// tries: uses a connection that a process outside any agent has made, and was handed to the agent
// target: connect
// outside: yes
// variants: rights
// refusal: EPERM EBADF

#include "net.h"
#include <sys/prctl.h>
#include <sys/un.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

static struct sockaddr_un name = { AF_UNIX, "free/socket" };

static void hand_over(int connection, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = "";
	struct iovec vector = { "x", 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	STEP(sendmsg(connection, &message, 0));
}

static void outside(void)
{
	struct sockaddr_in far = address4(FAR4);
	int fd = new_socket(AF_INET, SOCK_STREAM, 0), server = STEP(socket(AF_UNIX, SOCK_STREAM, 0));
	char text[32];

	prctl(PR_SET_PTRACER, -1L);
	CONNECT(fd, far);
	STEP(bind(server, (struct sockaddr *)&name, sizeof(name)));
	STEP(listen(server, 1));
	snprintf(text, sizeof(text), "%d %d", getpid(), fd);
	write_text("free/ready.new", text);
	STEP(rename("free/ready.new", "free/ready"));
	hand_over(STEP(accept(server, NULL, NULL)), fd);
	pause();
}

static int received(void)
{
	char space[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	int fd = -1, connection = STEP(socket(AF_UNIX, SOCK_STREAM, 0));

	CONNECT(connection, name);
	STEP(recvmsg(connection, &message, 0));
	if (CMSG_FIRSTHDR(&message) && CMSG_FIRSTHDR(&message)->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

int main(int argc, char **argv)
{
	FILE *ready;
	int pid, fd;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	if (is("rights")) {
		ask(received());
		done();
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d %d", &pid, &fd) != 2)
		broken("nobody outside");
	ask(STEP(syscall(SYS_pidfd_getfd, STEP(syscall(SYS_pidfd_open, pid, 0)), fd, 0)));
	done();
}
