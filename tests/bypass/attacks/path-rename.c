// tries: gives a secret, or a folder above it, another name, and reads it there
// target: read
// variants: file folder folder-two-up exchange exchange-folder whiteout
// setup: mkdir free/a && chown --reference=. free/a
// event: guarded/secret guarded free/* /srv/bypass/*/path-rename.folder-two-up
// action: file_write

#include "attack.h"

#define RENAME_EXCHANGE_FLAG 2
#define RENAME_WHITEOUT_FLAG 4

static void rename_with(const char *from, const char *to, unsigned int flags)
{
	STEP(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

int main(int argc, char **argv)
{
	char aside[PATH_MAX + 64];

	begin(argc, argv);
	if (is("file")) {
		rename_with(SECRET, "free/moved", 0);
		print_file("free/moved");
	} else if (is("folder")) {
		rename_with("guarded", "free/moved", 0);
		print_file("free/moved/secret");
	} else if (is("folder-two-up")) {
		/* One level deeper no pattern matches. */
		snprintf(aside, sizeof(aside), "%s/../aside-%d", directory, getpid());
		STEP(mkdir(aside, 0755));
		strcat(aside, "/moved");
		rename_with(directory, aside, 0);
		print_file("guarded/secret");
	} else if (is("exchange")) {
		rename_with("free/file", SECRET, RENAME_EXCHANGE_FLAG);
		print_file("free/file");
	} else if (is("exchange-folder")) {
		rename_with("free/a", "guarded", RENAME_EXCHANGE_FLAG);
		print_file("free/a/secret");
	} else {
		private_mounts();
		rename_with(SECRET, "free/moved", geteuid() ? 0 : RENAME_WHITEOUT_FLAG);
		print_file("free/moved");
	}
	done();
}
