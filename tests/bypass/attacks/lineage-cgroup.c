// tries: leaves the control group that the daemon looks at, or is born outside it, and opens the secret
// target: read
// who: root
// variants: moved clone3 below

#include "elsewhere.h"
#include <linux/sched.h>

#define CGROUPS "/sys/fs/cgroup"

/* A refusal here is not what this attack is about. */
static int join(const char *path)
{
	int fd = open(path, O_WRONLY), result;

	if (fd < 0)
		return -1;
	result = write(fd, "0", 1);
	close(fd);
	return result;
}

int main(int argc, char **argv)
{
	struct clone_args how = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	long child;

	begin(argc, argv);
	prepare_elsewhere();
	if (is("clone3")) {
		how.cgroup = STEP(open(CGROUPS, O_PATH | O_DIRECTORY));
		child = syscall(SYS_clone3, &how, sizeof(how));
		if (child < 0)
			child = STEP(fork());
	} else {
		if (is("below")) {
			mkdir(CGROUPS "/tyr-e2e/below", 0755);
			join(CGROUPS "/tyr-e2e/below/cgroup.procs");
		}
		join(CGROUPS "/cgroup.procs");
		child = STEP(fork());
	}
	if (!child) {
		go_for_secret();
		_exit(0);
	}
	tell_elsewhere();
}
