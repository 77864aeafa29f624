// tries: moves folders above a secret to and fro, outside any agent, while it opens the secret ten thousand times
// target: read
// outside: yes
// before: true
// event: guarded/?/y/secret
// setup: mkdir -p guarded/x/y guarded/z && cp guarded/secret guarded/x/y/secret && chown -R --reference=. guarded

#include "attack.h"

enum { TRIES = 10000 };

/* Both places are below what may not be read. */
static void outside(void)
{
	write_text("free/ready", "ready");
	for (;;) {
		rename("guarded/x/y", "guarded/z/y");
		rename("guarded/z/y", "guarded/x/y");
	}
}

int main(int argc, char **argv)
{
	int opened = 0, refused = 0, fd, folder;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0)
		outside();
	do {
		folder = open("guarded/x/y", O_PATH | O_DIRECTORY);
	} while (folder < 0 && errno == ENOENT);
	STEP(folder);
	for (int i = 0; i < TRIES; i++) {
		errno = 0;
		fd = openat(folder, "secret", O_RDONLY);
		if (fd >= 0 && !opened++)
			print_all(fd);
		refused += fd < 0 && errno == EPERM;
		close(fd);
	}
	printf("%d opened, %d refused\n", opened, refused);
	if (opened)
		done();
	denied_with(EPERM, "every open");
}
