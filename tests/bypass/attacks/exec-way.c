// tries: runs a denied program by each call that can, and through names and descriptors that are not its own
// target: exec
// variants: execve execveat descriptor fexecve proc-fd path-descriptor symlink hardlink rename script script-nested
//           script-env thread posix-spawn
// event: programs/denied free/*
// action: exec file_write

#include "attack.h"
#include <pthread.h>
#include <spawn.h>

enum { ENV_REFUSED = 126 };

extern char **environ;

static char *arguments[] = { "x", NULL };

static void script(const char *path, const char *interpreter)
{
	char text[PATH_MAX + 16];

	snprintf(text, sizeof(text), "#!%s\n", interpreter);
	write_text(path, text);
	STEP(chmod(path, 0755));
}

static long scripts(void)
{
	char interpreter[PATH_MAX];

	snprintf(interpreter, sizeof(interpreter), "%s/" DENIED_PROGRAM, directory);
	if (is("script-env"))
		snprintf(interpreter, sizeof(interpreter), "/usr/bin/env %s/" DENIED_PROGRAM, directory);
	script("free/script-1", interpreter);
	if (!is("script-nested"))
		return execv("free/script-1", arguments);
	/* The kernel follows four interpreters that are scripts themselves. */
	for (int i = 2; i <= 4; i++) {
		char name[32];

		snprintf(interpreter, sizeof(interpreter), "%s/free/script-%d", directory, i - 1);
		snprintf(name, sizeof(name), "free/script-%d", i);
		script(name, interpreter);
	}
	return execv("free/script-4", arguments);
}

static void *in_thread(void *unused)
{
	(void)unused;
	STEP(execv(DENIED_PROGRAM, arguments));
	return NULL;
}

static long go(void)
{
	char path[64];
	pthread_t thread;
	int fd, status;
	pid_t child;

	if (is("execve"))
		return execv(DENIED_PROGRAM, arguments);
	if (is("execveat"))
		return syscall(SYS_execveat, AT_FDCWD, DENIED_PROGRAM, arguments, environ, 0);
	if (is("symlink"))
		return symlink("../" DENIED_PROGRAM, "free/x") ?: execv("free/x", arguments);
	if (is("hardlink"))
		return link(DENIED_PROGRAM, "free/x") ?: execv("free/x", arguments);
	if (is("rename"))
		return rename(DENIED_PROGRAM, "free/x") ?: execv("free/x", arguments);
	if (strncmp(variant, "script", 6) == 0)
		return scripts();
	if (is("thread")) {
		STEP(-(pthread_create(&thread, NULL, in_thread, NULL) != 0));
		pause();
	}
	if (is("posix-spawn")) {
		errno = posix_spawn(&child, DENIED_PROGRAM, NULL, NULL, arguments, environ);
		if (errno)
			return -1;
		STEP(waitpid(child, &status, 0));
		return -WEXITSTATUS(status);
	}
	fd = STEP(open(DENIED_PROGRAM, is("path-descriptor") ? O_PATH : O_RDONLY));
	if (is("fexecve"))
		return fexecve(fd, arguments, environ);
	if (is("proc-fd")) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		return execv(path, arguments);
	}
	return syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	fflush(stdout);
	if (STEP(fork()) == 0) {
		STEP(go());
		done();
	}
	int status;

	STEP(wait(&status));
	if (WEXITSTATUS(status) == EXIT_DONE)
		done();
	/* What env ends with when it may not execute. */
	if (is("script-env") && WEXITSTATUS(status) == ENV_REFUSED)
		denied_with(EPERM, "env");
	_exit(WEXITSTATUS(status));
}
