// tries: opens a secret through symbolic links
// target: read
// variants: one chain-40 folder dangling

#include "attack.h"

enum { LINKS_FOLLOWED_MAX = 40 };

static void chain(void)
{
	char name[32], to[32];

	STEP(symlink("../" SECRET, "free/link-1"));
	for (int i = 2; i <= LINKS_FOLLOWED_MAX; i++) {
		snprintf(name, sizeof(name), "free/link-%d", i);
		snprintf(to, sizeof(to), "link-%d", i - 1);
		STEP(symlink(to, name));
	}
	print_file("free/link-40");
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("one")) {
		STEP(symlink("../" SECRET, "free/link"));
		print_file("free/link");
	} else if (is("chain-40")) {
		chain();
	} else if (is("folder")) {
		STEP(symlink("../guarded", "free/link"));
		print_file("free/link/secret");
	} else {
		/* The link is there before what it leads through is. */
		STEP(symlink("middle/secret", "free/link"));
		STEP(symlink("../guarded", "free/middle"));
		print_file("free/link");
	}
	done();
}
