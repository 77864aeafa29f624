// tries: maps a denied program into one that needs no loader, and jumps into it
// target: exec
// variants: mmap mprotect
// build: static
// setup: printf '\270\052\000\000\000\303' > programs/denied

#include "attack.h"
#include <sys/mman.h>

enum { ANSWER = 42 };

/* The program is `return 42`. */
int main(int argc, char **argv)
{
	int (*code)(void), fd;
	void *bytes;

	begin(argc, argv);
	fd = STEP(open(DENIED_PROGRAM, O_RDONLY));
	bytes = mmap(NULL, 4096, is("mmap") ? PROT_READ | PROT_EXEC : PROT_READ, MAP_PRIVATE, fd, 0);
	STEP(bytes == MAP_FAILED ? -1 : 0);
	if (is("mprotect"))
		STEP(mprotect(bytes, 4096, PROT_READ | PROT_EXEC));
	code = (int (*)(void))bytes;
	if (code() != ANSWER)
		broken("the code answers wrong");
	puts("victim ran");
	done();
}
