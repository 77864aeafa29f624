// tries: asks a service outside any agent for the secret, over a unix socket that may not be written
// target: read
// outside: yes
// event: locked/service
// action: file_write
// variants: stream datagram datagram-message connected-datagram packets link other-directory many

#include "attack.h"
#include <sys/un.h>

#define SERVICE "locked/service"

static struct sockaddr_un service = { AF_UNIX, SERVICE };
static struct sockaddr_un client = { AF_UNIX, "free/client" };

static int type_of(const char *name)
{
	if (strstr(name, "datagram") || strstr(name, "many"))
		return SOCK_DGRAM;
	return strstr(name, "packets") ? SOCK_SEQPACKET : SOCK_STREAM;
}

/* Reads any file for whoever asks. */
static void outside(void)
{
	int type = type_of(variant), server = STEP(socket(AF_UNIX, type, 0));
	struct sockaddr_un sender;
	char asked[256], secret[256];
	socklen_t length;

	unlink(SERVICE);
	STEP(bind(server, (struct sockaddr *)&service, sizeof(service)));
	STEP(chmod(SERVICE, 0777));
	if (type != SOCK_DGRAM)
		STEP(listen(server, 4));
	write_text("free/ready", "x");
	for (;;) {
		int peer = type == SOCK_DGRAM ? server : STEP(accept(server, NULL, NULL));
		int fd;

		length = sizeof(sender);
		STEP(recvfrom(peer, asked, sizeof(asked), 0, (struct sockaddr *)&sender, &length));
		fd = STEP(open(SECRET, O_RDONLY));
		ssize_t got = STEP(read(fd, secret, sizeof(secret)));
		if (type == SOCK_DGRAM)
			STEP(sendto(server, secret, got, 0, (struct sockaddr *)&sender, length));
		else
			STEP(send(peer, secret, got, 0));
	}
}

static void print_reply(int fd)
{
	char reply[256];
	ssize_t length = STEP(recv(fd, reply, sizeof(reply), 0));

	fwrite(reply, 1, length, stdout);
	printf("\n");
	done();
}

int main(int argc, char **argv)
{
	struct iovec text = { "secret", 6 };
	struct msghdr message = { .msg_name = &service, .msg_namelen = sizeof(service),
				  .msg_iov = &text, .msg_iovlen = 1 };
	struct mmsghdr many[1] = { { .msg_hdr = message } };
	int fd;

	begin(argc, argv);
	if (strncmp(variant, "outside-", 8) == 0) {
		outside();
		return 0;
	}
	fd = STEP(socket(AF_UNIX, type_of(variant), 0));
	if (type_of(variant) == SOCK_DGRAM)
		STEP(bind(fd, (struct sockaddr *)&client, sizeof(client)));
	if (is("datagram")) {
		STEP(sendto(fd, "secret", 6, 0, (struct sockaddr *)&service, sizeof(service)));
		print_reply(fd);
	} else if (is("datagram-message")) {
		STEP(sendmsg(fd, &message, 0));
		print_reply(fd);
	} else if (is("many")) {
		STEP(sendmmsg(fd, many, 1, 0));
		print_reply(fd);
	} else if (is("link")) {
		STEP(symlink("../" SERVICE, "free/link"));
		strcpy(service.sun_path, "free/link");
	} else if (is("other-directory")) {
		STEP(chdir("locked"));
		strcpy(service.sun_path, "service");
	}
	STEP(connect(fd, (struct sockaddr *)&service, sizeof(service)));
	STEP(send(fd, "secret", 6, 0));
	print_reply(fd);
}
