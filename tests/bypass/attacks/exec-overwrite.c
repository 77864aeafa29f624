// tries: puts a denied program into the file of one that may be executed
// target: exec
// event: listed/allowed
// now: open

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	copy_file(DENIED_PROGRAM, "listed/allowed", 0755);
	if (run_program("listed/allowed", (char *[]){ "x", NULL }))
		broken("it ran and failed");
	done();
}
