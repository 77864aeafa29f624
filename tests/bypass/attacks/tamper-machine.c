// tries: reaches below the kernel's rules: modules, kexec, memory, disks, the clock
// target: self
// who: root
// allowed: no
// refusal: EPERM EACCES
// event: *CAP_SYS_* /dev/* */free/disk* *perf*
// action: file_write
// variants: module kexec clock disk mknod loop perf port snapshot watchdog
// setup: if [ $VARIANT = module ]; then f=$(modinfo -n dummy); case $f in *.xz) xz -dc $f >free/dummy.ko;;
//   *) cp $f free/dummy.ko;; esac; fi; if [ $VARIANT = loop ]; then truncate -s 1M free/image; fi;
//   if [ $VARIANT = watchdog ]; then modprobe softdog; fi

#include "attack.h"
#include <linux/loop.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/io.h>
#include <sys/sysmacros.h>
#include <time.h>

static void module(void)
{
	int fd = STEP(open("free/dummy.ko", O_RDONLY));

	STEP(syscall(SYS_finit_module, fd, "", 0));
	STEP(syscall(SYS_delete_module, "dummy", O_NONBLOCK));
}

static void loop(void)
{
	char path[32];
	int control = STEP(open("/dev/loop-control", O_RDWR)), device;
	int image = STEP(open("free/image", O_RDWR));

	snprintf(path, sizeof(path), "/dev/loop%ld", STEP(ioctl(control, LOOP_CTL_GET_FREE)));
	device = STEP(open(path, O_RDWR));
	STEP(ioctl(device, LOOP_SET_FD, image));
	STEP(ioctl(device, LOOP_CLR_FD));
}

int main(int argc, char **argv)
{
	struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(event),
					 .config = PERF_COUNT_SW_CPU_CLOCK };
	struct timespec now;
	char block[512];

	begin(argc, argv);
	if (is("module")) {
		module();
	} else if (is("kexec")) {
		/* Unloads what is not loaded. */
		STEP(syscall(SYS_kexec_load, 0, 0, NULL, 0));
	} else if (is("clock")) {
		STEP(clock_gettime(CLOCK_REALTIME, &now));
		STEP(clock_settime(CLOCK_REALTIME, &now));
	} else if (is("disk")) {
		STEP(read(STEP(open("/dev/loop0", O_RDONLY)), block, sizeof(block)));
	} else if (is("mknod")) {
		STEP(mknod("free/disk", S_IFBLK | 0600, makedev(7, 0)));
		STEP(read(STEP(open("free/disk", O_RDONLY)), block, sizeof(block)));
	} else if (is("loop")) {
		loop();
	} else if (is("perf")) {
		STEP(syscall(SYS_perf_event_open, &event, -1, 0, -1, 0));
	} else if (is("snapshot")) {
		STEP(open("/dev/snapshot", O_RDONLY));
	} else if (is("watchdog")) {
		/* The last byte tells it not to restart the machine. */
		STEP(write(STEP(open("/dev/watchdog", O_WRONLY)), "V", 1));
	} else {
		STEP(iopl(3));
	}
	done();
}
