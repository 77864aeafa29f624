// tries: freezes and shuts down a file system, as it could that of the daemon's events, and moves contents below its files
// target: self
// who: root
// allowed: no
// action: file_write
// event: *ioctl*
// variants: freeze shutdown swap-boot
// setup: truncate -s 2M free/image; mkdir free/disk; mkfs.ext4 -q -O ^has_journal,^metadata_csum free/image;
//   mount -o loop free/image free/disk; echo harmless > free/disk/one; echo other > free/disk/two

#include "attack.h"
#include <linux/fs.h>
#include <linux/types.h>
#include <sys/ioctl.h>

#define SWAP_BOOT _IO('f', 17)
#define SHUTDOWN _IOR('X', 125, __u32)

/* What is in one file is in the boot loader's after this, and in another file after the next. */
static void swap_boot(const char *path)
{
	int fd = STEP(open(path, O_RDWR));

	STEP(ioctl(fd, SWAP_BOOT));
	close(fd);
}

int main(int argc, char **argv)
{
	__u32 at_once = 2;
	int folder;

	begin(argc, argv);
	folder = STEP(open("free/disk", O_RDONLY | O_DIRECTORY));
	if (is("freeze")) {
		STEP(ioctl(folder, FIFREEZE, 0));
		STEP(ioctl(folder, FITHAW, 0));
	} else if (is("shutdown")) {
		STEP(ioctl(folder, SHUTDOWN, &at_once));
	} else {
		swap_boot("free/disk/one");
		swap_boot("free/disk/two");
	}
	done();
}
