/* The program that may not be executed, as a library: says that it ran in whoever loads it. */
#include <stdio.h>

/* What the loader asks of those that LD_AUDIT names. */
unsigned int la_version(unsigned int version)
{
	return version;
}

__attribute__((constructor)) static void ran(void)
{
	puts("victim ran");
	fflush(stdout);
}
