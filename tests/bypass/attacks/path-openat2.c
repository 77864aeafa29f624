// tries: opens a secret with every kind of resolution that openat2 has
// target: read
// variants: plain beneath in-root no-symlinks cached

#include "attack.h"
#include <linux/openat2.h>

int main(int argc, char **argv)
{
	struct open_how how = { .flags = O_RDONLY };
	const char *path = SECRET;
	int where;

	begin(argc, argv);
	where = STEP(open(".", O_PATH | O_DIRECTORY));
	if (is("beneath"))
		how.resolve = RESOLVE_BENEATH;
	if (is("in-root")) {
		how.resolve = RESOLVE_IN_ROOT;
		path = "/../../" SECRET;
	}
	if (is("no-symlinks"))
		how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	if (is("cached")) {
		struct stat info;

		STEP(stat(SECRET, &info));
		how.resolve = RESOLVE_CACHED;
	}
	print_all(STEP(syscall(SYS_openat2, where, path, &how, sizeof(how))));
	done();
}
