// tries: makes the folder of a secret, or one above it, its root, and reads the secret from there
// target: read
// variants: chroot chroot-descriptor pivot-root

#include "attack.h"

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	private_mounts();
	if (is("chroot")) {
		STEP(chroot("guarded"));
		print_file("/secret");
	} else if (is("chroot-descriptor")) {
		fd = STEP(open("guarded", O_PATH | O_DIRECTORY));
		STEP(chroot("free"));
		print_all(STEP(openat(fd, "secret", O_RDONLY)));
	} else {
		STEP(mount("guarded", "guarded", NULL, MS_BIND, NULL));
		STEP(chdir("guarded"));
		STEP(syscall(SYS_pivot_root, ".", "."));
		STEP(umount2(".", MNT_DETACH));
		STEP(chdir("/"));
		print_file("/secret");
	}
	done();
}
