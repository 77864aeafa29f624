// tries: kills a process of root's outside any agent
// target: read
// who: root
// outside: yes
// variants: kill thread pidfd queue stop
// allowed: no
// event: *signal*
// action: file_write

#include "attack.h"

/* Writes the secret when it is told of its end. */
static void outside(void)
{
	char text[32];
	int status;
	pid_t child = STEP(fork());

	if (!child) {
		snprintf(text, sizeof(text), "%d", getpid());
		write_text("free/ready.new", text);
		STEP(rename("free/ready.new", "free/ready"));
		for (;;)
			pause();
	}
	STEP(waitpid(child, &status, WUNTRACED));
	copy_file(SECRET, "free/given.new", 0644);
	STEP(rename("free/given.new", "free/given"));
	kill(child, SIGKILL);
	pause();
}

int main(int argc, char **argv)
{
	siginfo_t info = { .si_signo = SIGKILL, .si_code = SI_QUEUE };
	FILE *ready;
	int pid;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d", &pid) != 1)
		broken("nobody outside");
	if (is("kill"))
		STEP(kill(pid, SIGKILL));
	else if (is("stop"))
		STEP(kill(pid, SIGSTOP));
	else if (is("thread"))
		STEP(syscall(SYS_tgkill, pid, pid, SIGKILL));
	else if (is("queue"))
		STEP(syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info));
	else if (is("pidfd"))
		STEP(syscall(SYS_pidfd_send_signal, STEP(syscall(SYS_pidfd_open, pid, 0)), SIGKILL,
			     NULL, 0));
	else
		broken("no such variant");
	for (int waited = 0; access("free/given", F_OK) && waited < 3000; waited++)
		usleep(1000);
	if (access("free/given", F_OK))
		denied_with(EPERM, "the signal did not arrive");
	print_file("free/given");
	done();
}
