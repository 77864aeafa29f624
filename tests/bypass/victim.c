/* The program that may not be executed: says that it ran. */
#include <stdio.h>

int main(void)
{
	puts("victim ran");
	return 0;
}
