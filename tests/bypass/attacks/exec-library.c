// tries: brings the code of a denied program into an allowed one, as a library
// target: exec
// variants: preload audit open
// setup: cp /srv/bypass/bin/victim-library programs/denied
// now: open

#include "attack.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
	static char variable[PATH_MAX];

	begin(argc, argv);
	if (is("open")) {
		if (!dlopen("./" DENIED_PROGRAM, RTLD_NOW))
			denied_with(EPERM, dlerror());
		done();
	}
	snprintf(variable, sizeof(variable), "%s=%s/" DENIED_PROGRAM, is("audit") ? "LD_AUDIT" : "LD_PRELOAD",
		 directory);
	STEP(putenv(variable));
	if (run_program("/bin/true", (char *[]){ "true", NULL }))
		broken("it ran and failed");
	done();
}
