// tries: opens the secret in a thread, after the leader has gone, or after an exec by another thread
// target: read
// variants: thread leader-gone exec exec-leader-gone detached

#include "elsewhere.h"
#include <pthread.h>

static char *again[4];

static void *act(void *nothing)
{
	(void)nothing;
	if (is("leader-gone") || is("exec-leader-gone"))
		usleep(100000);
	if (strncmp(variant, "exec", 4) == 0) {
		execv(again[0], again);
		broken("exec");
	}
	if (is("thread") || is("detached")) {
		go_for_secret();
		return NULL;
	}
	print_file(SECRET);
	done();
}

int main(int argc, char **argv)
{
	pthread_attr_t attributes;
	pthread_t thread;

	begin(argc, argv);
	if (is("after")) {
		print_file(SECRET);
		done();
	}
	prepare_elsewhere();
	again[0] = argv[0];
	again[1] = argv[1];
	again[2] = "after";
	pthread_attr_init(&attributes);
	if (is("detached"))
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, act, NULL))
		broken("no thread");
	if (is("thread") || is("detached"))
		tell_elsewhere();
	if (is("exec"))
		for (;;)
			pause();
	pthread_exit(NULL);
}
