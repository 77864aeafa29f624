// tries: runs a denied program where a list says what may be executed
// target: exec
// variants: copy hardlink rename rename-onto link-onto
// action: exec file_write
// event: listed/x programs/denied listed/allowed

#include "attack.h"

int main(int argc, char **argv)
{
	char *name = "listed/x";

	begin(argc, argv);
	if (is("copy")) {
		copy_file(DENIED_PROGRAM, name, 0755);
	} else if (is("hardlink")) {
		STEP(link(DENIED_PROGRAM, name));
	} else if (is("rename")) {
		STEP(rename(DENIED_PROGRAM, name));
	} else {
		name = "listed/allowed";
		if (is("link-onto"))
			STEP(unlink(name));
		STEP(is("link-onto") ? link(DENIED_PROGRAM, name) : rename(DENIED_PROGRAM, name));
	}
	if (run_program(name, (char *[]){ "x", NULL }))
		broken("it ran and failed");
	done();
}
