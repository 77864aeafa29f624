// tries: opens a secret by its handle, which is no path at all
// target: read
// who: root
// variants: cached dropped inode-number
// event: guarded/secret * /

#include "attack.h"

enum { HANDLE_BYTES = 128 };

int main(int argc, char **argv)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + HANDLE_BYTES);
	int where, mount_id, fd;

	begin(argc, argv);
	handle->handle_bytes = HANDLE_BYTES;
	STEP(name_to_handle_at(AT_FDCWD, SECRET, handle, &mount_id, 0));
	where = STEP(open(is("inode-number") ? "/srv/bypass" : "free", O_RDONLY | O_DIRECTORY));
	if (!is("cached")) {
		sync();
		fd = STEP(open("/proc/sys/vm/drop_caches", O_WRONLY));
		STEP(write(fd, "3", 1));
		close(fd);
	}
	print_all(STEP(open_by_handle_at(where, handle, O_RDONLY)));
	done();
}
