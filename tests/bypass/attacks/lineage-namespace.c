// tries: opens the secret in new namespaces, as the first process of one, and nested
// target: read
// variants: pid mount net user all nested-user joined time

#include "elsewhere.h"
#include <sys/prctl.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

enum { NESTED = 8 };

static void new_user(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	STEP(unshare(CLONE_NEWUSER));
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_text("/proc/self/gid_map", map);
}

/* In a child: the first process of its pid namespace if there is a new one. */
static void in_child(void)
{
	fflush(stdout);
	if (!STEP(fork())) {
		go_for_secret();
		_exit(0);
	}
	tell_elsewhere();
}

/* One level further down, as the first process there. */
static void enter_another(void)
{
	int status;
	pid_t child;

	STEP(unshare(CLONE_NEWUSER | CLONE_NEWPID));
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/gid_map", "0 0 1");
	child = STEP(fork());
	if (!child)
		return;
	STEP(waitpid(child, &status, 0));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN);
}

static void joined(void)
{
	int ready[2];
	pid_t child;
	char byte;

	STEP(pipe(ready));
	child = STEP(fork());
	if (!child) {
		new_user();
		STEP(unshare(CLONE_NEWNS | CLONE_NEWNET));
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		broken("no namespaces to join");
	STEP(setns(STEP(syscall(SYS_pidfd_open, child, 0)), CLONE_NEWUSER | CLONE_NEWNS));
	STEP(chdir(directory));
	print_file(SECRET);
	kill(child, SIGKILL);
	done();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	prepare_elsewhere();
	if (is("joined"))
		joined();
	new_user();
	if (is("pid"))
		STEP(unshare(CLONE_NEWPID));
	else if (is("mount"))
		STEP(unshare(CLONE_NEWNS));
	else if (is("net"))
		STEP(unshare(CLONE_NEWNET));
	else if (is("time"))
		STEP(unshare(CLONE_NEWTIME));
	else if (is("all"))
		STEP(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			     CLONE_NEWCGROUP));
	else if (is("nested-user"))
		for (int depth = 0; depth < NESTED; depth++)
			enter_another();
	in_child();
}
