// tries: reads the environment of a process through each name that /proc has for it
// target: self
// variants: self process task thread-self new-namespace
// action: file_read
// event: *environ

#include "attack.h"

int main(int argc, char **argv)
{
	char path[PATH_MAX] = "/proc/self/environ";

	begin(argc, argv);
	if (is("process"))
		snprintf(path, sizeof(path), "/proc/%d/environ", getpid());
	if (is("task"))
		snprintf(path, sizeof(path), "/proc/%d/task/%d/environ", getpid(), getpid());
	if (is("thread-self"))
		strcpy(path, "/proc/thread-self/environ");
	if (is("new-namespace")) {
		STEP(mkdir("free/proc", 0700));
		private_namespaces(CLONE_NEWPID);
		if (STEP(fork())) {
			int status;

			STEP(wait(&status));
			_exit(WEXITSTATUS(status));
		}
		STEP(mount("proc", "free/proc", "proc", 0, NULL));
		strcpy(path, "free/proc/self/environ");
	}
	print_file(path);
	done();
}
