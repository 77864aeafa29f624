// tries: runs a denied script that names no interpreter, for which a library or a shell takes one
// target: exec
// variants: execvp shell bash env
// setup: printf 'echo victim ran\n' > programs/denied

#include "attack.h"

static char *const arguments[] = { DENIED_PROGRAM, NULL };

/* What a library makes of a file that the kernel cannot run is a shell that reads it. */
static int by_library(void)
{
	int status;
	pid_t child;

	child = STEP(fork());
	if (!child) {
		execvp(DENIED_PROGRAM, arguments);
		_exit(errno);
	}
	STEP(waitpid(child, &status, 0));
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	int status;

	begin(argc, argv);
	if (is("shell"))
		status = run_program("/bin/sh", (char *[]){ "sh", "-c", "./" DENIED_PROGRAM, NULL });
	else if (is("env"))
		status = run_program("/usr/bin/env", (char *[]){ "env", "./" DENIED_PROGRAM, NULL });
	else if (is("bash"))
		status = run_program("/bin/bash", (char *[]){ "bash", "-c", "./" DENIED_PROGRAM, NULL });
	else
		status = by_library();
	if (status)
		denied_with(EPERM, "it does not run");
	done();
}
