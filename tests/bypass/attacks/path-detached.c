// tries: opens a secret below a mount that is attached nowhere
// target: read
// variants: open-tree open-tree-recursive attached lazy-umount working-directory

#include "attack.h"

enum { TREE_CLONE = 1, TREE_RECURSIVE = 0x8000, MOVE_FROM_EMPTY_PATH = 4 };

static int tree_of(const char *path, unsigned int flags)
{
	return STEP(syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | flags));
}

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	private_mounts();
	if (is("open-tree") || is("open-tree-recursive")) {
		fd = tree_of("guarded", is("open-tree") ? 0 : TREE_RECURSIVE);
		print_all(STEP(openat(fd, "secret", O_RDONLY)));
	} else if (is("attached")) {
		fd = tree_of("guarded", 0);
		STEP(mkdir("free/mount", 0700));
		STEP(syscall(SYS_move_mount, fd, "", AT_FDCWD, "free/mount", MOVE_FROM_EMPTY_PATH));
		print_file("free/mount/secret");
	} else {
		STEP(mkdir("free/mount", 0700));
		STEP(mount("guarded", "free/mount", NULL, MS_BIND, NULL));
		fd = STEP(open("free/mount", O_PATH | O_DIRECTORY));
		if (is("working-directory"))
			STEP(chdir("free/mount"));
		STEP(umount2(is("working-directory") ? "../mount" : "free/mount", MNT_DETACH));
		if (is("working-directory"))
			print_file("secret");
		else
			print_all(STEP(openat(fd, "secret", O_RDONLY)));
	}
	done();
}
