// tries: reads memory, pipes and messages of a process outside any agent that have no name a rule could know
// target: read
// outside: yes
// variants: memory-file pipe segment message
// now: open

#include "attack.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>

enum { BYTES = 64 };

struct message {
	long kind;
	char text[BYTES];
};

/* Holds the secret in memory that others of its user can have. */
static void outside(void)
{
	struct message message = { .kind = 1 };
	int file = STEP(open(SECRET, O_RDONLY)), memory, ends[2], segment, queue;
	ssize_t length = STEP(read(file, message.text, BYTES));
	char text[96], *bytes;

	close(file);
	memory = STEP(memfd_create("held", 0));
	STEP(write(memory, message.text, length));
	STEP(pipe(ends));
	STEP(write(ends[1], message.text, length));
	segment = STEP(shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600));
	bytes = (char *)STEP(shmat(segment, NULL, 0));
	memcpy(bytes, message.text, length);
	/* It goes with the last who has it. */
	STEP(shmctl(segment, IPC_RMID, NULL));
	queue = STEP(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	STEP(msgsnd(queue, &message, length, 0));
	snprintf(text, sizeof(text), "%d %d %d %d %d", getpid(), memory, ends[0], segment, queue);
	write_text("free/ready.new", text);
	STEP(rename("free/ready.new", "free/ready"));
	pause();
}

int main(int argc, char **argv)
{
	struct message message = { 0 };
	int pid, memory, end, segment, queue;
	char path[64];
	FILE *ready;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d %d %d %d %d", &pid, &memory, &end, &segment, &queue) != 5)
		broken("nobody outside");
	if (is("segment")) {
		printf("%.*s\n", BYTES, (char *)STEP(shmat(segment, NULL, SHM_RDONLY)));
		done();
	}
	if (is("message")) {
		STEP(msgrcv(queue, &message, BYTES, 0, IPC_NOWAIT));
		STEP(msgctl(queue, IPC_RMID, NULL));
	} else {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, is("pipe") ? end : memory);
		STEP(read(STEP(open(path, O_RDONLY)), message.text, BYTES));
	}
	printf("%.*s\n", BYTES, message.text);
	done();
}
