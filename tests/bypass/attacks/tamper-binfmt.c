// tries: has the kernel start a program for files that begin with bytes of its choice
// target: self
// who: root
// allowed: no
// action: file_write
// event: */register
// variants: there mounted
// setup: modprobe binfmt_misc; mkdir -p free/binfmt; mount -t binfmt_misc binfmt_misc free/binfmt

#include "attack.h"

#define ENTRY ":bypass:M::\\x00bypass\\x00::/bin/true:"

int main(int argc, char **argv)
{
	const char *folder = "free/binfmt";
	char path[64];
	int fd;

	begin(argc, argv);
	if (is("mounted")) {
		folder = "free/again";
		STEP(mkdir(folder, 0700));
		private_mounts();
		STEP(mount("binfmt_misc", folder, "binfmt_misc", 0, NULL));
	}
	snprintf(path, sizeof(path), "%s/register", folder);
	fd = STEP(open(path, O_WRONLY));
	STEP(write(fd, ENTRY, strlen(ENTRY)));
	STEP(close(fd));
	snprintf(path, sizeof(path), "%s/bypass", folder);
	fd = STEP(open(path, O_WRONLY));
	STEP(write(fd, "-1", 2));
	done();
}
