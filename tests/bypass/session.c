/*
 * Runs a list of attacks one after the other. Under a name that a signature knows it is an agent,
 * and so is all that it starts; under any other name it is nothing.
 *
 *   session LIST RESULTS
 *
 * A line of LIST is DIRECTORY, PROGRAM and VARIANT with tabs between them; what the attack prints
 * goes to DIRECTORY.out. RESULTS gets DIRECTORY and the exit status of each, 255 for one that was
 * stopped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TELL_TRIES = 1000, ATTACK_SECONDS = 120, LINE_BYTES = 4096, STATUS_STOPPED = 255 };

static volatile sig_atomic_t late;

static void on_alarm(int signal)
{
	(void)signal;
	late = 1;
}

static void run(char *directory, char *program, char *variant)
{
	char output[LINE_BYTES + 8];
	char *arguments[] = { program, directory, variant, NULL };
	int fd;

	setpgid(0, 0);
	snprintf(output, sizeof(output), "%s.out", directory);
	fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(STATUS_STOPPED - 1);
	if (chdir(directory) == 0)
		execv(program, arguments);
	printf("BROKEN cannot start %s: %s\n", program, strerror(errno));
	fflush(stdout);
	_exit(STATUS_STOPPED - 1);
}

static int attack(char *line)
{
	char *directory = strsep(&line, "\t"), *program = strsep(&line, "\t");
	char *variant = line ? line : "";
	int status, result = STATUS_STOPPED;
	pid_t child = fork();

	if (child < 0)
		return STATUS_STOPPED;
	if (!child)
		run(directory, program, variant);
	late = 0;
	alarm(ATTACK_SECONDS);
	while (waitpid(child, &status, 0) < 0) {
		if (errno == EINTR && late)
			kill(child, SIGKILL);
		else if (errno != EINTR)
			return STATUS_STOPPED;
	}
	alarm(0);
	if (WIFEXITED(status))
		result = WEXITSTATUS(status);
	/* What the attack left running. */
	kill(-child, SIGKILL);
	return result;
}

/* While attacks use up the memory, a write may be refused for want of some. */
static void tell(int results, const char *directory, int status)
{
	char line[LINE_BYTES + 16];
	int length = snprintf(line, sizeof(line), "%s\t%d\n", directory, status);

	for (int tries = 0; tries < TELL_TRIES; tries++) {
		if (write(results, line, length) == length)
			return;
		fprintf(stderr, "%s cannot be told yet: %s\n", directory, strerror(errno));
		usleep(10000);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm };
	char line[LINE_BYTES];
	FILE *list;
	int results;

	if (argc != 3)
		return 2;
	list = fopen(argv[1], "re");
	results = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (!list || results < 0 || sigaction(SIGALRM, &action, NULL))
		return 1;
	while (fgets(line, sizeof(line), list)) {
		int status;

		line[strcspn(line, "\n")] = 0;
		status = attack(line);
		/* The first tab is a NUL now. */
		tell(results, line, status);
	}
	return 0;
}
