// tries: kills, freezes and leaves control groups
// target: self
// who: root
// allowed: no
// action: file_write
// event: /sys/fs/cgroup*
// variants: kill freeze limit leave move-other make remove
// setup: mkdir -p /sys/fs/cgroup/bypass-$VARIANT

#include "attack.h"

#define GROUP "/sys/fs/cgroup/bypass-"

static void write_to(const char *path, const char *text)
{
	int fd = STEP(open(path, O_WRONLY));

	STEP(write(fd, text, strlen(text)));
	close(fd);
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
	} else if (is("make")) {
		STEP(mkdir(GROUP "made", 0755));
		STEP(rmdir(GROUP "made"));
	} else {
		STEP(rmdir(GROUP "remove"));
		STEP(mkdir(GROUP "remove", 0755));
	}
	done();
}
