// tries: forks until the kernel has no memory left for it, so that a child might be born without an identity
// target: read
// who: root
// variants: plain small-memory
// setup: if [ $VARIANT = small-memory ]; then echo +memory >/sys/fs/cgroup/cgroup.subtree_control;
//   mkdir -p /sys/fs/cgroup/bypass-small; echo 6M >/sys/fs/cgroup/bypass-small/memory.max; fi

#include "elsewhere.h"

/* How many children there are in all; each goes for the secret. */
enum { CHILDREN = 600, AT_ONCE = 200, FAILED_FORKS = 100 };

struct storm {
	volatile unsigned int born, read, refused;
};

static void child(struct storm *storm)
{
	int fd = open(SECRET, O_RDONLY);

	__sync_fetch_and_add(&storm->born, 1);
	__sync_fetch_and_add(fd < 0 ? &storm->refused : &storm->read, 1);
	if (fd >= 0 && storm->read == 1) {
		elsewhere->length = read(fd, elsewhere->read, sizeof(elsewhere->read));
		elsewhere->ended = 1;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	struct storm *storm;
	int failed = 0;

	begin(argc, argv);
	prepare_elsewhere();
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm == MAP_FAILED)
		broken("no shared memory");
	/* A refusal to enter it makes this the plain variant. */
	if (is("small-memory")) {
		int fd = open("/sys/fs/cgroup/bypass-small/cgroup.procs", O_WRONLY);

		if (fd >= 0 && write(fd, "0", 1) < 0)
			printf("stays in its control group\n");
	}
	for (int count = 0, alive = 0; count < CHILDREN && failed < FAILED_FORKS; count++) {
		pid_t pid = fork();

		if (!pid)
			child(storm);
		if (pid < 0)
			failed++;
		else
			alive++;
		while (alive && (alive >= AT_ONCE || pid < 0) && wait(NULL) > 0)
			alive--;
	}
	while (wait(NULL) > 0)
		;
	printf("%u born, %u refused, %d not born\n", storm->born, storm->refused, failed);
	if (storm->born == 0)
		broken("no child was born");
	if (storm->read)
		tell_elsewhere();
	denied_with(EPERM, "all of them");
}
