// tries: runs a copy of a denied program that has no name
// target: exec
// variants: memfd tmpfile unlinked
// event: /memfd:

#include "attack.h"
#include <sys/mman.h>

static int copy_without_name(void)
{
	char bytes[65536], path[64];
	ssize_t length;
	int from = STEP(open(DENIED_PROGRAM, O_RDONLY)), to;

	if (is("memfd"))
		to = STEP(memfd_create("listed/allowed", 0));
	else if (is("tmpfile"))
		to = STEP(open("free", O_TMPFILE | O_RDWR, 0755));
	else
		to = STEP(open("free/x", O_CREAT | O_RDWR, 0755));
	while ((length = STEP(read(from, bytes, sizeof(bytes)))) > 0)
		STEP(write(to, bytes, length));
	/* What is open for writing cannot be executed. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	from = STEP(open(path, O_RDONLY));
	STEP(close(to));
	if (is("unlinked"))
		STEP(unlink("free/x"));
	return from;
}

int main(int argc, char **argv)
{
	char *arguments[] = { "x", NULL };
	int status;

	begin(argc, argv);
	if (STEP(fork()) == 0)
		STEP(syscall(SYS_execveat, copy_without_name(), "", arguments, environ, AT_EMPTY_PATH));
	STEP(wait(&status));
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	done();
}
