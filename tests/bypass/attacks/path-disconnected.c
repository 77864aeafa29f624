// tries: holds a folder in a mount whose root it is moved out of, and opens a secret below it
// target: read
// event: guarded/* *secret free/*
// action: file_read
// setup: mkdir -p guarded/a/b free/mount && cp guarded/secret guarded/a/b/secret && chown -R --reference=. guarded

#include "attack.h"

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	private_mounts();
	STEP(mount("guarded/a", "free/mount", NULL, MS_BIND, NULL));
	fd = STEP(open("free/mount/b", O_PATH | O_DIRECTORY));
	STEP(rename("guarded/a/b", "guarded/b"));
	print_all(STEP(openat(fd, "secret", O_RDONLY)));
	done();
}
