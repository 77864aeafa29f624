// tries: opens a secret by its handle, which is no path at all
// target: read
// who: root
// outside: yes
// allowed: no dropped inode-number
// variants: cached dropped inode-number
// event: guarded/secret * /

#include "attack.h"

enum { HANDLE_BYTES = 128, WAIT_MILLISECONDS = 20000 };

/* What an agent may not do itself: makes the kernel forget the names of files. */
static void outside(void)
{
	int fd;

	write_text("free/ready", "ready");
	if (strcmp(variant, "outside-cached") == 0)
		pause();
	while (access("free/forget", F_OK))
		usleep(20000);
	sync();
	fd = STEP(open("/proc/sys/vm/drop_caches", O_WRONLY));
	STEP(write(fd, "3", 1));
	write_text("free/forgotten", "forgotten");
	pause();
}

int main(int argc, char **argv)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + HANDLE_BYTES);
	int where, mount_id, waited = 0;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0)
		outside();
	handle->handle_bytes = HANDLE_BYTES;
	STEP(name_to_handle_at(AT_FDCWD, SECRET, handle, &mount_id, 0));
	where = STEP(open(is("inode-number") ? "/srv/bypass" : "free", O_RDONLY | O_DIRECTORY));
	if (!is("cached")) {
		write_text("free/forget", "forget");
		while (access("free/forgotten", F_OK) && waited++ < WAIT_MILLISECONDS)
			usleep(1000);
		if (access("free/forgotten", F_OK))
			broken("nobody dropped the names");
	}
	print_all(STEP(open_by_handle_at(where, handle, O_RDONLY)));
	done();
}
