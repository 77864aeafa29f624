// tries: becomes a process that is no child of the agent any more, and opens the secret there
// target: read
// variants: twice session daemon vfork clone-parent late subreaper disowned nohup shared

#include "elsewhere.h"
#include <linux/sched.h>
#include <sys/prctl.h>

enum { STACK_BYTES = 1 << 16 };

static int go(void *nothing)
{
	(void)nothing;
	go_for_secret();
	_exit(0);
}

static void run_clone(int flags)
{
	char *stack = malloc(STACK_BYTES);

	STEP(clone(go, stack + STACK_BYTES, flags, NULL));
}

/* The child of a child that has ended, and so of init or of the next subreaper. */
static void orphan(unsigned int delay)
{
	pid_t child = STEP(fork());

	if (child) {
		STEP(waitpid(child, NULL, 0));
		return;
	}
	if (STEP(fork()))
		_exit(0);
	setsid();
	usleep(delay);
	go(NULL);
}

static void from_shell(const char *line)
{
	pid_t child = STEP(fork());

	if (!child) {
		execl("/bin/bash", "bash", "-c", line, NULL);
		_exit(1);
	}
	STEP(waitpid(child, NULL, 0));
	for (int waited = 0; access("free/ended", F_OK) && waited < ELSEWHERE_MILLISECONDS; waited++)
		usleep(1000);
	print_file("free/said");
	if (access("free/refused", F_OK) == 0)
		denied_with(EPERM, "in the shell");
	done();
}

#define SHELL_READS                                                                               \
	"(if ! cat " SECRET " >free/said 2>free/error; then "                                     \
	"grep -q 'not permitted' free/error && touch free/refused; fi; touch free/ended)"

int main(int argc, char **argv)
{
	begin(argc, argv);
	prepare_elsewhere();
	if (is("twice")) {
		orphan(0);
	} else if (is("late")) {
		orphan(200000);
	} else if (is("session")) {
		if (!STEP(fork())) {
			setsid();
			go(NULL);
		}
	} else if (is("daemon")) {
		if (!STEP(fork())) {
			if (daemon(1, 1))
				_exit(1);
			go(NULL);
		}
	} else if (is("vfork")) {
		run_clone(CLONE_VFORK | CLONE_VM | SIGCHLD);
	} else if (is("clone-parent")) {
		run_clone(CLONE_PARENT | SIGCHLD);
	} else if (is("shared")) {
		/* Shares everything, ends without a signal, and no exec tells of it. */
		run_clone(CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_IO | CLONE_SYSVSEM);
	} else if (is("subreaper")) {
		STEP(prctl(PR_SET_CHILD_SUBREAPER, 1));
		orphan(1000);
	} else if (is("disowned")) {
		from_shell("set -m; " SHELL_READS " & disown");
	} else {
		from_shell("nohup setsid -f bash -c \"" SHELL_READS "\" >/dev/null 2>&1");
	}
	tell_elsewhere();
}
