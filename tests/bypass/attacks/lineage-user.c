// tries: opens the secret as somebody else, as sudo and setpriv do it
// target: read
// who: root
// variants: setuid saved setpriv capabilities
// setup: chmod 755 . guarded && chmod 644 guarded/secret

#include "elsewhere.h"
#include <grp.h>
#include <sys/prctl.h>

enum { OTHER = 1000 };

static void by(const char *program, const char *const *arguments)
{
	int status = run_program(program, (char *const *)arguments);

	if (status)
		denied_with(EPERM, program);
	done();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("setpriv")) {
		by("/usr/bin/setpriv", (const char *[]){ "setpriv", "--reuid=1000", "--regid=1000",
							 "--clear-groups", "--", "cat", SECRET, NULL });
	} else if (is("capabilities")) {
		STEP(prctl(PR_SET_KEEPCAPS, 1));
		STEP(setresuid(OTHER, OTHER, OTHER));
		STEP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	} else if (is("saved")) {
		STEP(setresuid(OTHER, OTHER, 0));
		STEP(setresuid(0, 0, 0));
	} else {
		STEP(setgroups(0, NULL));
		STEP(setresgid(OTHER, OTHER, OTHER));
		STEP(setresuid(OTHER, OTHER, OTHER));
	}
	print_file(SECRET);
	done();
}
