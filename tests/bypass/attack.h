/*
 * What every attack in C uses: it says DONE when it got what it was after, DENIED and the error
 * when it was refused, BROKEN when neither can be told.
 *
 * An attack is started in a directory of its own: guarded/ may not be read, locked/ not be
 * changed, programs/ and all of listed/ but listed/allowed not be executed; in free/ nothing is
 * denied. argv[1] is that directory, argv[2] the variant.
 */
#ifndef ATTACK_H
#define ATTACK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "guarded/secret"
#define LOCKED "locked/file"
#define DENIED_PROGRAM "programs/denied"

enum { EXIT_DONE = 0, EXIT_DENIED = 1, EXIT_BROKEN = 3 };

static const char *directory = ".";
static const char *variant = "";

static inline void begin(int argc, char **argv)
{
	if (argc > 1)
		directory = argv[1];
	if (argc > 2)
		variant = argv[2];
}

static inline int is(const char *name)
{
	return strcmp(variant, name) == 0;
}

static inline _Noreturn void done(void)
{
	printf("DONE\n");
	fflush(stdout);
	_exit(EXIT_DONE);
}

static inline _Noreturn void denied_with(int error, const char *step)
{
	printf("DENIED %s %s\n", strerrorname_np(error) ? strerrorname_np(error) : "0", step);
	fflush(stdout);
	_exit(EXIT_DENIED);
}

static inline _Noreturn void broken(const char *why)
{
	printf("BROKEN %s (%s)\n", why, strerror(errno));
	fflush(stdout);
	_exit(EXIT_BROKEN);
}

/* A call of the attack: its error ends the attack. */
#define STEP(call)                                                                                \
	({                                                                                        \
		long step_result = (long)(call);                                                  \
		if (step_result == -1)                                                            \
			denied_with(errno, #call);                                                \
		step_result;                                                                      \
	})

/* Prints what a descriptor gives, which is how a secret is proved to be read. */
static inline void print_all(int fd)
{
	char bytes[4096];
	ssize_t length;

	while ((length = STEP(read(fd, bytes, sizeof(bytes)))) > 0)
		fwrite(bytes, 1, length, stdout);
	printf("\n");
}

static inline void print_file(const char *path)
{
	int fd = STEP(open(path, O_RDONLY));

	print_all(fd);
	close(fd);
}

static inline void copy_file(const char *from, const char *to, mode_t mode)
{
	char bytes[65536];
	ssize_t length;
	int in = STEP(open(from, O_RDONLY));
	int out = STEP(open(to, O_WRONLY | O_CREAT | O_TRUNC, mode));

	while ((length = STEP(read(in, bytes, sizeof(bytes)))) > 0)
		if (STEP(write(out, bytes, length)) != length)
			broken("short write");
	close(in);
	STEP(close(out));
}

/* The status of a child that runs `path`; a child that cannot run it passes its error on. */
static inline int run_program(const char *path, char *const argv[])
{
	int status, errors[2], error = 0;
	pid_t child;

	STEP(pipe2(errors, O_CLOEXEC));
	fflush(stdout);
	child = STEP(fork());
	if (!child) {
		execv(path, argv);
		error = errno;
		if (write(errors[1], &error, sizeof(error)) < 0)
			_exit(EXIT_BROKEN);
		_exit(EXIT_DENIED);
	}
	close(errors[1]);
	if (read(errors[0], &error, sizeof(error)) == sizeof(error) && error)
		denied_with(error, path);
	close(errors[0]);
	STEP(waitpid(child, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static inline void write_text(const char *path, const char *text)
{
	int fd = STEP(open(path, O_WRONLY | O_CREAT, 0600));

	if (STEP(write(fd, text, strlen(text))) != (ssize_t)strlen(text))
		broken("short write");
	STEP(close(fd));
}

/* A mount namespace, and `more`; who is not root gets a user namespace, in which it is. */
static inline void private_namespaces(int more)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (uid) {
		STEP(unshare(CLONE_NEWUSER | CLONE_NEWNS | more));
		write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_text("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_text("/proc/self/gid_map", map);
	} else {
		STEP(unshare(CLONE_NEWNS | more));
	}
	STEP(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static inline void private_mounts(void)
{
	private_namespaces(0);
}

#endif
