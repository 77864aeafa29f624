// tries: kills, freezes and leaves control groups
// target: self
// who: root
// allowed: no
// action: file_write
// event: /sys/fs/cgroup* *control?group*
// variants: kill freeze limit leave move-other make remove born
// setup: mkdir -p /sys/fs/cgroup/bypass-$VARIANT

#include "attack.h"
#include <linux/sched.h>

#define GROUP "/sys/fs/cgroup/bypass-"

static void write_to(const char *path, const char *text)
{
	int fd = STEP(open(path, O_WRONLY));

	STEP(write(fd, text, strlen(text)));
	close(fd);
}

/* A child that is there from its birth: no file is written. */
static void born(void)
{
	struct clone_args how = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t child;

	how.cgroup = STEP(open(GROUP "born", O_PATH | O_DIRECTORY));
	child = STEP(syscall(SYS_clone3, &how, sizeof(how)));
	if (!child)
		_exit(0);
	STEP(waitpid(child, NULL, 0));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("kill")) {
		write_to(GROUP "kill/cgroup.kill", "1");
	} else if (is("freeze")) {
		write_to(GROUP "freeze/cgroup.freeze", "0");
	} else if (is("limit")) {
		write_to(GROUP "limit/cgroup.max.depth", "5");
	} else if (is("leave")) {
		write_to("/sys/fs/cgroup/cgroup.procs", "0");
	} else if (is("move-other")) {
		char parent[32];

		/* The agent itself, to where it is anyway. */
		snprintf(parent, sizeof(parent), "%d", getppid());
		write_to("/sys/fs/cgroup/tyr-e2e/cgroup.procs", parent);
	} else if (is("born")) {
		born();
	} else if (is("make")) {
		STEP(mkdir(GROUP "made", 0755));
		STEP(rmdir(GROUP "made"));
	} else {
		STEP(rmdir(GROUP "remove"));
		STEP(mkdir(GROUP "remove", 0755));
	}
	done();
}
