// tries: opens a secret through the links below /proc
// target: read
// variants: self-root thread-root cwd descriptor other-cwd other-root

#include "attack.h"

static pid_t waiting_child(const char *where)
{
	int ready[2];
	pid_t child;
	char byte;

	STEP(pipe(ready));
	child = STEP(fork());
	if (!child) {
		if (chdir(where) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		broken("the child cannot enter the folder");
	return child;
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	pid_t child = 0;

	begin(argc, argv);
	if (is("self-root")) {
		snprintf(path, sizeof(path), "/proc/self/root%s/" SECRET, directory);
	} else if (is("thread-root")) {
		snprintf(path, sizeof(path), "/proc/thread-self/root%s/" SECRET, directory);
	} else if (is("cwd")) {
		STEP(chdir("guarded"));
		snprintf(path, sizeof(path), "/proc/self/cwd/secret");
	} else if (is("descriptor")) {
		snprintf(path, sizeof(path), "/proc/self/fd/%ld", STEP(open(SECRET, O_PATH)));
	} else {
		child = waiting_child("guarded");
		if (is("other-cwd"))
			snprintf(path, sizeof(path), "/proc/%d/cwd/secret", child);
		else
			snprintf(path, sizeof(path), "/proc/%d/root%s/" SECRET, child, directory);
	}
	print_file(path);
	if (child)
		kill(child, SIGKILL);
	done();
}
