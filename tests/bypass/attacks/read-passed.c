// tries: gets a descriptor of a secret from a process outside any agent
// target: read
// variants: rights pidfd
// allowed: no pidfd
// action: file_read file_write
// event: guarded/secret *attaching*
// refusal: EPERM EBADF
// outside: yes

#include "attack.h"
#include <sys/prctl.h>
#include <sys/un.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

static struct sockaddr_un name = { AF_UNIX, "free/socket" };

/* Opens the secret and hands it to whoever asks. */
static void outside(void)
{
	char space[CMSG_SPACE(sizeof(int))] = "", text[32];
	struct iovec vector = { "x", 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int secret = STEP(open(SECRET, O_RDONLY)), server, client;

	prctl(PR_SET_PTRACER, -1L);
	server = STEP(socket(AF_UNIX, SOCK_STREAM, 0));
	STEP(bind(server, (struct sockaddr *)&name, sizeof(name)));
	STEP(listen(server, 1));
	snprintf(text, sizeof(text), "%d %d", getpid(), secret);
	write_text("free/ready.new", text);
	STEP(rename("free/ready.new", "free/ready"));
	client = STEP(accept(server, NULL, NULL));
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &secret, sizeof(secret));
	STEP(sendmsg(client, &message, 0));
	pause();
}

static int received(void)
{
	char space[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	int fd = -1, connection = STEP(socket(AF_UNIX, SOCK_STREAM, 0));

	STEP(connect(connection, (struct sockaddr *)&name, sizeof(name)));
	STEP(recvmsg(connection, &message, 0));
	/* A descriptor that may not be received is left out of the message. */
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
		print_all(received());
		done();
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d %d", &pid, &fd) != 2)
		broken("nobody outside");
	print_all(STEP(syscall(SYS_pidfd_getfd, STEP(syscall(SYS_pidfd_open, pid, 0)), fd, 0)));
	done();
}
