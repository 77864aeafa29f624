// tries: connects to the sockets of services that start programs for whoever asks
// target: self
// who: root
// outside: yes
// allowed: no
// action: file_write
// event: */VARIANT
// variants: docker.sock containerd.sock podman.sock private system_bus_socket bus default X0 snapd.socket crio.sock

#include "attack.h"
#include <sys/un.h>

static const char *const sockets[] = {
	"/run/docker.sock",
	"/run/containerd/containerd.sock",
	"/run/podman/podman.sock",
	"/run/systemd/private",
	"/run/dbus/system_bus_socket",
	"/run/user/1000/bus",
	"/tmp/tmux-0/default",
	"/tmp/.X11-unix/X0",
	"/run/snapd.socket",
	"/run/crio/crio.sock",
};

static struct sockaddr_un service = { AF_UNIX, "" };

static int try_connect(void)
{
	int fd = STEP(socket(AF_UNIX, SOCK_STREAM, 0));

	return connect(fd, (struct sockaddr *)&service, sizeof(service));
}

static void outside(void)
{
	int server = STEP(socket(AF_UNIX, SOCK_STREAM, 0));

	for (char *slash = service.sun_path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(service.sun_path, 0755);
		*slash = '/';
	}
	/* Only what an earlier run has left is removed. */
	if (try_connect() == 0)
		broken("there is such a service here");
	if (errno == ECONNREFUSED)
		STEP(unlink(service.sun_path));
	STEP(bind(server, (struct sockaddr *)&service, sizeof(service)));
	STEP(listen(server, 4));
	write_text("free/ready", "x");
	pause();
}

int main(int argc, char **argv)
{
	const char *wanted;

	begin(argc, argv);
	wanted = strncmp(variant, "outside-", 8) ? variant : variant + 8;
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		if (strcmp(strrchr(sockets[i], '/') + 1, wanted) == 0)
			strcpy(service.sun_path, sockets[i]);
	if (wanted != variant) {
		outside();
		return 0;
	}
	STEP(try_connect());
	done();
}
