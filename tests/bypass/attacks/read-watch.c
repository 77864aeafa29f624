// tries: watches a secret with fanotify, whose events bring an open descriptor of what somebody else has opened
// target: read
// who: root
// outside: yes
// variants: event permission

#include "attack.h"
#include <poll.h>
#include <sys/fanotify.h>

enum { WAIT_MILLISECONDS = 10000, EVENT_BYTES = 4096 };

/* Opens the secret again and again. */
static void outside(void)
{
	write_text("free/ready", "ready");
	for (;;) {
		close(open(SECRET, O_RDONLY));
		usleep(10000);
	}
}

int main(int argc, char **argv)
{
	int asks, group;
	struct pollfd watched;
	struct fanotify_event_metadata *event;
	char events[EVENT_BYTES] __attribute__((aligned(8)));

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0)
		outside();
	asks = is("permission");
	group = STEP(fanotify_init(asks ? FAN_CLASS_CONTENT : FAN_CLASS_NOTIF, O_RDONLY));
	STEP(fanotify_mark(group, FAN_MARK_ADD, asks ? FAN_OPEN_PERM : FAN_OPEN, AT_FDCWD, SECRET));
	watched = (struct pollfd){ .fd = group, .events = POLLIN };
	if (STEP(poll(&watched, 1, WAIT_MILLISECONDS)) != 1)
		broken("no event");
	STEP(read(group, events, sizeof(events)));
	event = (void *)events;
	if (event->fd < 0)
		denied_with(EPERM, "an event without a descriptor");
	print_all(event->fd);
	done();
}
