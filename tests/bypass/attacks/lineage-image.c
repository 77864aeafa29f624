// tries: makes /proc/self/exe name another program
// target: self
// who: root
// allowed: no
// event: *prctl*
// action: file_write
// variants: file map

#include "attack.h"
#include <linux/prctl.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	unsigned int size = 0;

	begin(argc, argv);
	if (is("map")) {
		STEP(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
	} else {
		int fd = STEP(open("/usr/bin/true", O_RDONLY));

		/* The old program is still mapped, so this ends in EBUSY where nobody forbids it. */
		if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0) && errno != EBUSY)
			denied_with(errno, "prctl");
	}
	done();
}
