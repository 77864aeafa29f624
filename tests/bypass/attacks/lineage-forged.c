// tries: opens the secret under another name: comm, argv, /proc/self/exe, without a core dump
// target: read
// variants: name argv undumpable executed-link deleted

#include "attack.h"
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (strncmp(variant, "again", 5) == 0) {
		if (is("again-deleted"))
			STEP(unlink("free/tyrd"));
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

		/* Another file name, with and without a name that is left. */
		if (is("deleted"))
			arguments[2] = "again-deleted";
		copy_file("/proc/self/exe", "free/tyrd", 0755);
		STEP(fexecve(STEP(open("free/tyrd", O_RDONLY | O_CLOEXEC)), arguments, environ));
	}
	print_file(SECRET);
	done();
}
