// tries: opens the secret under a process id that others had before
// target: read
// variants: reused chosen

#include "elsewhere.h"
#include <linux/sched.h>

/* Numbers below this are not handed out again by a namespace whose numbers are set back. */
enum { FIRST = 2 };

static void in_namespace(void)
{
	unsigned long long wanted = FIRST;
	struct clone_args how = { .exit_signal = SIGCHLD, .set_tid = (unsigned long)&wanted,
				  .set_tid_size = 1 };
	int status;

	/* The number had an owner. */
	for (int round = 0; round < 3; round++) {
		long child = STEP(syscall(SYS_clone3, &how, sizeof(how)));

		if (!child) {
			if (getpid() != FIRST)
				broken("another number");
			if (round < 2)
				_exit(0);
			go_for_secret();
			_exit(0);
		}
		STEP(waitpid(child, &status, 0));
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	prepare_elsewhere();
	private_mounts();
	STEP(unshare(CLONE_NEWPID));
	fflush(stdout);
	if (!STEP(fork())) {
		if (is("chosen"))
			in_namespace();
		else
			for (int round = 0; round < 300; round++) {
				pid_t child = STEP(fork());

				if (!child) {
					if (round == 299)
						go_for_secret();
					_exit(0);
				}
				STEP(waitpid(child, NULL, 0));
			}
		_exit(0);
	}
	tell_elsewhere();
}
