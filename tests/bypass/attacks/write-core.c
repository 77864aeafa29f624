// tries: has the kernel make a core file in a folder that may not be changed
// target: write
// event: locked/core
// setup: echo core > /proc/sys/kernel/core_pattern

#include "attack.h"
#include <sys/resource.h>

static void crash(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_CORE, &all))
		_exit(EXIT_BROKEN);
	if (chdir("locked"))
		_exit(EXIT_BROKEN);
	abort();
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	begin(argc, argv);
	child = STEP(fork());
	if (!child)
		crash();
	STEP(waitpid(child, &status, 0));
	if (!WIFSIGNALED(status))
		broken("it did not crash");
	if (!WCOREDUMP(status))
		denied_with(EPERM, "no core file");
	done();
}
