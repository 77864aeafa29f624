// tries: writes to settings of the kernel that switch hooks off or start programs as root
// target: self
// who: root
// allowed: no
// event: */VARIANT
// action: file_write
// variants: ftrace_enabled kptr_restrict perf_event_paranoid core_pattern modprobe sysrq-trigger release_agent
//   drop_caches bpf_stats_enabled unprivileged_bpf_disabled randomize_va_space hung_task_panic current_tracer
// setup: if [ $VARIANT = release_agent ]; then mkdir free/cgroup; mount -t cgroup -o none,name=bypass bypass free/cgroup;
//   fi; if [ $VARIANT = current_tracer ]; then mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true; fi

#include "attack.h"

static const char *const files[] = {
	"/proc/sys/kernel/ftrace_enabled",
	"/proc/sys/kernel/kptr_restrict",
	"/proc/sys/kernel/perf_event_paranoid",
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",
	"/proc/sysrq-trigger",
	"free/cgroup/release_agent",
	"/proc/sys/vm/drop_caches",
	"/proc/sys/kernel/bpf_stats_enabled",
	"/proc/sys/kernel/unprivileged_bpf_disabled",
	"/proc/sys/kernel/randomize_va_space",
	"/proc/sys/kernel/hung_task_panic",
	"/sys/kernel/tracing/current_tracer",
};

/* Writes what is there already. */
static void write_again(const char *path)
{
	char value[4096] = "";
	ssize_t length = 0;
	int fd = open(path, O_RDONLY);

	if (fd >= 0) {
		length = read(fd, value, sizeof(value));
		close(fd);
	}
	if (is("sysrq-trigger"))
		length = sprintf(value, "h");
	else if (is("drop_caches"))
		length = sprintf(value, "1");
	fd = STEP(open(path, O_WRONLY));
	if (length > 0)
		STEP(write(fd, value, length));
	STEP(close(fd));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(strrchr(files[i], '/') + 1, variant) == 0) {
			write_again(files[i]);
			done();
		}
	broken("no such setting");
}
