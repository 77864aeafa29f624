// tries: has the kernel kill a process of root's outside any agent when data comes on a descriptor
// target: read
// who: root
// outside: yes
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

static void by_io(pid_t pid)
{
	int ends[2];

	STEP(pipe(ends));
	STEP(fcntl(ends[0], F_SETOWN, pid));
	STEP(fcntl(ends[0], F_SETSIG, SIGKILL));
	STEP(fcntl(ends[0], F_SETFL, O_ASYNC));
	STEP(write(ends[1], "x", 1));
}

int main(int argc, char **argv)
{
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
	by_io(pid);
	for (int waited = 0; access("free/given", F_OK) && waited < 3000; waited++)
		usleep(1000);
	if (access("free/given", F_OK))
		denied_with(EPERM, "the signal did not arrive");
	print_file("free/given");
	done();
}
