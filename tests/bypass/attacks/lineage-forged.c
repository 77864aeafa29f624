// tries: opens the secret under another name: comm, argv, /proc/self/exe, without a core dump
// target: read
// variants: name argv undumpable executed-link deleted

#include "attack.h"
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("again")) {
		print_file(SECRET);
		done();
	}
	if (is("name")) {
		STEP(prctl(PR_SET_NAME, "tyrd"));
	} else if (is("argv")) {
		memset(argv[0], 'x', strlen(argv[0]));
		memcpy(argv[0], "/usr/bin/tyrd", 13);
		STEP(prctl(PR_SET_NAME, "systemd"));
	} else if (is("undumpable")) {
		STEP(prctl(PR_SET_DUMPABLE, 0));
	} else {
		char *arguments[] = { "/usr/bin/tyrd", argv[1], "again", NULL };

		/* Another file name, with and without one that is left. */
		copy_file("/proc/self/exe", "free/tyrd", 0755);
		int fd = STEP(open("free/tyrd", O_RDONLY | O_CLOEXEC));

		if (is("deleted"))
			STEP(unlink("free/tyrd"));
		STEP(fexecve(fd, arguments, environ));
	}
	print_file(SECRET);
	done();
}
