// tries: runs a copy of a denied program under another name
// target: exec
// now: open

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	copy_file(DENIED_PROGRAM, "free/x", 0755);
	if (run_program("free/x", (char *[]){ "x", NULL }))
		broken("it ran and failed");
	done();
}
