// tries: reads and changes the memory of a process outside any agent
// target: read
// outside: yes
// variants: readv writev mem attach seize
// refusal: EPERM EACCES
// allowed: no
// event: *attaching*
// action: file_write

#include "attack.h"
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

enum { GIVEN_MILLISECONDS = 10000 };

struct victim {
	volatile int give;	/* set from outside: it writes the secret where the agent can read */
	char secret[64];
};

static struct victim victim;

static void outside(void)
{
	char text[64];
	int fd = STEP(open(SECRET, O_RDONLY));
	ssize_t length = STEP(read(fd, victim.secret, sizeof(victim.secret) - 1));

	prctl(PR_SET_PTRACER, -1L);
	victim.secret[length] = 0;
	snprintf(text, sizeof(text), "%d %p", getpid(), (void *)&victim);
	write_text("free/ready.new", text);
	STEP(rename("free/ready.new", "free/ready"));
	while (!victim.give)
		usleep(1000);
	write_text("free/given.new", victim.secret);
	STEP(rename("free/given.new", "free/given"));
	pause();
}

static void print_given(void)
{
	for (int waited = 0; access("free/given", F_OK) && waited < GIVEN_MILLISECONDS; waited++)
		usleep(1000);
	print_file("free/given");
	done();
}

static void by_ptrace(pid_t pid, char *where)
{
	union {
		long words[8];
		char text[64];
	} secret;
	char *from = where + offsetof(struct victim, secret);

	if (is("attach")) {
		STEP(ptrace(PTRACE_ATTACH, pid, 0, 0));
	} else {
		STEP(ptrace(PTRACE_SEIZE, pid, 0, 0));
		STEP(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	}
	STEP(waitpid(pid, NULL, 0));
	for (int i = 0; i < 8; i++)
		secret.words[i] = ptrace(PTRACE_PEEKDATA, pid, from + i * sizeof(long), 0);
	printf("%.*s\n", (int)sizeof(secret.text), secret.text);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	done();
}

int main(int argc, char **argv)
{
	struct iovec mine, theirs;
	char secret[64] = "", path[64];
	int yes = 1, pid, fd;
	char *where;
	FILE *ready;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d %p", &pid, (void **)&where) != 2)
		broken("nobody outside");
	if (is("attach") || is("seize"))
		by_ptrace(pid, where);
	if (is("mem")) {
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		fd = STEP(open(path, O_RDWR));
		if (STEP(pwrite(fd, &yes, sizeof(yes), (off_t)where)) != sizeof(yes))
			broken("short write");
		print_given();
	}
	mine = (struct iovec){ &yes, sizeof(yes) };
	theirs = (struct iovec){ where, sizeof(yes) };
	if (is("writev")) {
		STEP(process_vm_writev(pid, &mine, 1, &theirs, 1, 0));
		print_given();
	}
	mine = (struct iovec){ secret, sizeof(secret) };
	theirs = (struct iovec){ where + offsetof(struct victim, secret), sizeof(secret) };
	STEP(process_vm_readv(pid, &mine, 1, &theirs, 1, 0));
	printf("%s\n", secret);
	done();
}
