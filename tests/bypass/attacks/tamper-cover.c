// tries: mounts another file system over the pins
// target: self
// who: root
// allowed: no
// action: file_write
// event: /sys/fs/bpf*

#include "attack.h"

#define PINS "/sys/fs/bpf/tyr"

int main(int argc, char **argv)
{
	begin(argc, argv);
	STEP(mount("tmpfs", PINS, "tmpfs", 0, NULL));
	STEP(umount2(PINS, 0));
	done();
}
