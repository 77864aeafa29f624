// tries: asks to be asked before the daemon opens its files, and so could hold it up
// target: self
// who: root
// event: *
// now: open

#include "tamper.h"
#include <sys/fanotify.h>

int main(int argc, char **argv)
{
	char folder[PATH_MAX];
	int group;

	begin(argc, argv);
	find_daemon("--state-dir", folder, sizeof(folder));
	group = STEP(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
	/* Whoever waits for an answer goes on when this process ends. */
	STEP(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD, folder));
	done();
}
