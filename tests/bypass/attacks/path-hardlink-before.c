// tries: reads a secret through a hard link that was made before the policy
// target: read
// setup: ln guarded/secret free/link
// event: guarded/secret free/link

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	print_file("free/link");
	done();
}
