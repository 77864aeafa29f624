// tries: mounts an overlay over the folder of a secret, and reads the secret there
// target: read
// allowed: no
// variants: lower upper copied-up
// event: guarded/secret free/mount/secret /secret

#include "attack.h"

int main(int argc, char **argv)
{
	char options[PATH_MAX];
	int fd;

	begin(argc, argv);
	STEP(mkdir("free/mount", 0700));
	STEP(mkdir("free/empty", 0700));
	STEP(mkdir("free/work", 0700));
	STEP(mkdir("free/upper", 0700));
	private_mounts();
	if (is("lower"))
		snprintf(options, sizeof(options), "lowerdir=%s/guarded:%s/free/empty", directory, directory);
	else if (is("upper"))
		snprintf(options, sizeof(options), "lowerdir=%s/free/empty,upperdir=%s/guarded,workdir=%s/free/work,userxattr",
			 directory, directory, directory);
	else
		snprintf(options, sizeof(options), "lowerdir=%s/guarded,upperdir=%s/free/upper,workdir=%s/free/work,userxattr",
			 directory, directory, directory);
	if (is("upper"))
		STEP(rmdir("free/work") || mkdir("work", 0700) || rename("work", "free/work"));
	STEP(mount("overlay", "free/mount", "overlay", 0, options));
	if (is("copied-up")) {
		/* A change copies the file up: from then on it is an object of another file system. */
		fd = STEP(open("free/mount/secret", O_WRONLY | O_APPEND));
		STEP(write(fd, "x", 1));
		STEP(close(fd));
	}
	print_file("free/mount/secret");
	done();
}
