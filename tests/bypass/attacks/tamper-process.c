// tries: stops, limits, slows down, traces and reads the daemon
// target: self
// who: root
// allowed: no
// refusal: EPERM EACCES
// action: file_write
// event: *process*(tyr* /proc/*
// variants: stop queue pidfd thread limit scheduler nice affinity io memory oom attach environment descriptors

#include "tamper.h"
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

static void signal_it(pid_t daemon)
{
	siginfo_t info = { .si_signo = SIGURG, .si_code = SI_QUEUE };

	/* Nobody minds SIGURG, and every signal is asked about alike. */
	if (is("queue")) {
		STEP(syscall(SYS_rt_sigqueueinfo, daemon, SIGURG, &info));
	} else if (is("pidfd")) {
		int fd = STEP(syscall(SYS_pidfd_open, daemon, 0));

		STEP(syscall(SYS_pidfd_send_signal, fd, SIGURG, NULL, 0));
	} else if (is("thread")) {
		STEP(syscall(SYS_tgkill, daemon, daemon, SIGURG));
	} else {
		STEP(kill(daemon, SIGSTOP));
		STEP(kill(daemon, SIGCONT));
	}
}

static void open_below(pid_t daemon, const char *name, int flags)
{
	char path[64], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", daemon, name);
	fd = STEP(open(path, flags));
	if (flags == O_RDONLY)
		STEP(read(fd, &byte, 1));
	else if (strcmp(name, "oom_score_adj") == 0)
		STEP(write(fd, "0", 1));
}

int main(int argc, char **argv)
{
	struct sched_param parameters = {};
	struct rlimit limit;
	cpu_set_t set;
	pid_t daemon;
	char path[64];

	begin(argc, argv);
	daemon = daemon_process();
	if (is("limit")) {
		STEP(prlimit(daemon, RLIMIT_CORE, NULL, &limit));
		STEP(prlimit(daemon, RLIMIT_CORE, &limit, NULL));
	} else if (is("scheduler")) {
		STEP(sched_setscheduler(daemon, SCHED_OTHER, &parameters));
	} else if (is("nice")) {
		STEP(setpriority(PRIO_PROCESS, daemon, 0));
	} else if (is("affinity")) {
		STEP(sched_getaffinity(daemon, sizeof(set), &set));
		STEP(sched_setaffinity(daemon, sizeof(set), &set));
	} else if (is("io")) {
		/* Best effort, 4: what it is by itself. */
		STEP(syscall(SYS_ioprio_set, 1, daemon, 2 << 13 | 4));
	} else if (is("memory")) {
		open_below(daemon, "mem", O_RDWR);
	} else if (is("oom")) {
		open_below(daemon, "oom_score_adj", O_WRONLY);
	} else if (is("attach")) {
		STEP(ptrace(PTRACE_SEIZE, daemon, 0, 0));
	} else if (is("environment")) {
		open_below(daemon, "environ", O_RDONLY);
	} else if (is("descriptors")) {
		snprintf(path, sizeof(path), "/proc/%d/fd/0", daemon);
		STEP(open(path, O_RDONLY));
	} else {
		signal_it(daemon);
	}
	done();
}
