/* For attacks in which another process goes for the secret than the one that was started. */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include "attack.h"
#include <sys/mman.h>

enum { ELSEWHERE_MILLISECONDS = 15000 };

struct elsewhere {
	volatile int ended;
	volatile int error;
	volatile int length;
	char read[256];
};

static struct elsewhere *elsewhere;

/* Before the first fork. */
static inline void prepare_elsewhere(void)
{
	elsewhere = mmap(NULL, sizeof(*elsewhere), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (elsewhere == MAP_FAILED)
		broken("no shared memory");
}

/* In the other process, however it came to be. It has no stack to speak of. */
static inline void go_for_secret(void)
{
	int fd = open(SECRET, O_RDONLY);

	if (fd < 0) {
		elsewhere->error = errno;
	} else {
		elsewhere->length = read(fd, elsewhere->read, sizeof(elsewhere->read));
		close(fd);
	}
	__sync_synchronize();
	elsewhere->ended = 1;
}

/* In the process that was started: waits for the other one, and says what became of it. */
static inline _Noreturn void tell_elsewhere(void)
{
	for (int waited = 0; !elsewhere->ended && waited < ELSEWHERE_MILLISECONDS; waited++)
		usleep(1000);
	if (!elsewhere->ended)
		broken("the other process did not get there");
	if (elsewhere->error)
		denied_with(elsewhere->error, "elsewhere");
	fwrite(elsewhere->read, 1, elsewhere->length, stdout);
	printf("\n");
	done();
}

#endif
