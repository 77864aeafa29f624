// tries: makes a hard link to a secret where nothing is denied, and reads it there
// target: read
// variants: link empty-path proc-fd
// event: guarded/secret
// action: file_write

#include "attack.h"

int main(int argc, char **argv)
{
	char path[64];
	int fd;

	begin(argc, argv);
	if (is("link")) {
		STEP(link(SECRET, "free/link"));
	} else {
		fd = STEP(open(SECRET, O_PATH));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (is("empty-path") && !geteuid())
			STEP(linkat(fd, "", AT_FDCWD, "free/link", AT_EMPTY_PATH));
		else
			STEP(linkat(AT_FDCWD, path, AT_FDCWD, "free/link", AT_SYMLINK_FOLLOW));
	}
	print_file("free/link");
	done();
}
