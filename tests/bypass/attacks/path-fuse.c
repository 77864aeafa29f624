// tries: leads a path through a file system of its own, which answers late, and with another way each time
// target: read
// variants: link changed
// setup: modprobe fuse; chmod 0666 /dev/fuse

#include "attack.h"
#include <linux/fuse.h>

enum { REQUEST_BYTES = 1 << 16, LINK_NODE = 2, STALL_MICROSECONDS = 200000, TRIES = 3 };

static int device;

static void answer(const struct fuse_in_header *to, int error, const void *content, size_t length)
{
	char bytes[4096];
	struct fuse_out_header header = { .len = sizeof(header) + length, .error = -error, .unique = to->unique };

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), content, length);
	if (write(device, bytes, header.len) < 0 && errno != ENOENT)
		_exit(EXIT_BROKEN);
}

/* The way is free/way, which is a link to what is harmless until the answer is on its way. */
static void answer_link(const struct fuse_in_header *to, int count)
{
	char target[PATH_MAX];

	usleep(STALL_MICROSECONDS);
	if (is("changed")) {
		if (symlink("../guarded", "free/new") || rename("free/new", "free/way"))
			_exit(EXIT_BROKEN);
		snprintf(target, sizeof(target), "%s/free/way/secret", directory);
	} else {
		snprintf(target, sizeof(target), "%s/%s", directory, count ? SECRET : "free/file");
	}
	answer(to, 0, target, strlen(target));
}

static void serve(void)
{
	static char bytes[REQUEST_BYTES] __attribute__((aligned(8)));
	const struct fuse_in_header *request = (void *)bytes;
	struct fuse_init_out ready = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
	struct fuse_attr_out attributes = { .attr = { .ino = 1, .mode = S_IFDIR | 0755, .nlink = 1 } };
	struct fuse_entry_out link = { .nodeid = LINK_NODE,
				       .attr = { .ino = LINK_NODE, .mode = S_IFLNK | 0777, .nlink = 1 } };
	int links = 0;

	while (read(device, bytes, sizeof(bytes)) > 0) {
		switch (request->opcode) {
		case FUSE_INIT:
			answer(request, 0, &ready, sizeof(ready));
			break;
		case FUSE_GETATTR:
			if (request->nodeid == LINK_NODE)
				attributes.attr = link.attr;
			answer(request, 0, &attributes, sizeof(attributes));
			break;
		case FUSE_LOOKUP:
			answer(request, 0, &link, sizeof(link));
			break;
		case FUSE_READLINK:
			answer_link(request, links++);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
			break;
		default:
			answer(request, ENOSYS, NULL, 0);
		}
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	char options[128];
	pid_t server;

	begin(argc, argv);
	STEP(mkdir("free/mount", 0700));
	STEP(mkdir("free/harmless", 0700));
	copy_file("free/file", "free/harmless/secret", 0600);
	STEP(symlink("harmless", "free/way"));
	private_mounts();
	device = STEP(open("/dev/fuse", O_RDWR));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	STEP(mount("fuse", "free/mount", "fuse", MS_NOSUID | MS_NODEV, options));
	server = STEP(fork());
	if (!server)
		serve();
	for (int i = 0; i < (is("changed") ? 1 : TRIES); i++)
		print_file("free/mount/link");
	kill(server, SIGKILL);
	done();
}
