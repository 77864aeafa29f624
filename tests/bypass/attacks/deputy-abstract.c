// tries: asks a service outside any agent for the secret, over a unix socket with an abstract name
// target: read
// outside: yes
// event: /abstract:bypass-*
// action: file_write
// variants: stream datagram datagram-message bytes

#include "attack.h"
#include <stddef.h>
#include <sys/un.h>

static struct sockaddr_un service = { .sun_family = AF_UNIX };
static socklen_t length;

/* A name of its own for each directory; it may hold any byte. */
static void set_name(void)
{
	char *name = service.sun_path + 1;
	struct stat info;

	STEP(stat(".", &info));
	length = offsetof(struct sockaddr_un, sun_path) + 1;
	length += snprintf(name, 64, "bypass-%lu", (unsigned long)info.st_ino);
	if (strstr(variant, "bytes")) {
		memcpy(service.sun_path + length - offsetof(struct sockaddr_un, sun_path), "\0\n\xff", 3);
		length += 3;
	}
}

static int type(void)
{
	return strstr(variant, "datagram") ? SOCK_DGRAM : SOCK_STREAM;
}

static void outside(void)
{
	int server = STEP(socket(AF_UNIX, type(), 0));

	STEP(bind(server, (struct sockaddr *)&service, length));
	if (type() == SOCK_STREAM)
		STEP(listen(server, 4));
	write_text("free/ready", "x");
	for (;;) {
		struct sockaddr_un sender;
		socklen_t size = sizeof(sender);
		char asked[64], secret[256];
		int peer = type() == SOCK_DGRAM ? server : STEP(accept(server, NULL, NULL));
		ssize_t got;

		STEP(recvfrom(peer, asked, sizeof(asked), 0, (struct sockaddr *)&sender, &size));
		got = STEP(read(STEP(open(SECRET, O_RDONLY)), secret, sizeof(secret)));
		if (type() == SOCK_DGRAM)
			STEP(sendto(peer, secret, got, 0, (struct sockaddr *)&sender, size));
		else
			STEP(send(peer, secret, got, 0));
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un mine = { AF_UNIX, "free/client" };
	struct iovec text = { "secret", 6 };
	struct msghdr message = { .msg_name = &service, .msg_iov = &text, .msg_iovlen = 1 };
	char reply[256];
	ssize_t got;
	int fd;

	begin(argc, argv);
	set_name();
	if (strncmp(variant, "outside-", 8) == 0) {
		outside();
		return 0;
	}
	fd = STEP(socket(AF_UNIX, type(), 0));
	if (type() == SOCK_DGRAM)
		STEP(bind(fd, (struct sockaddr *)&mine, sizeof(mine)));
	message.msg_namelen = length;
	if (is("datagram")) {
		STEP(sendto(fd, "secret", 6, 0, (struct sockaddr *)&service, length));
	} else if (is("datagram-message")) {
		STEP(sendmsg(fd, &message, 0));
	} else {
		STEP(connect(fd, (struct sockaddr *)&service, length));
		STEP(send(fd, "secret", 6, 0));
	}
	got = STEP(recv(fd, reply, sizeof(reply), 0));
	fwrite(reply, 1, got, stdout);
	printf("\n");
	done();
}
