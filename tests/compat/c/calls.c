// System calls that Tyr's hooks see, one line each: a name and the error, 0 for success.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

#define SAY(name, call)                                             \
	do {                                                        \
		errno = 0;                                          \
		long said = (long)(call);                           \
		printf("%s: %d\n", name, said < 0 ? errno : 0);     \
	} while (0)

static void make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	if (write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}

static void files(void)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
	char handle[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *named = (struct file_handle *)handle;
	int dir = open(".", O_PATH | O_DIRECTORY), lease, mount, fd;
	char text[256];

	make("plain", "plain text");
	SAY("openat2 beneath", syscall(SYS_openat2, dir, "plain", &how, sizeof(how)));
	how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
	SAY("openat2 in root", syscall(SYS_openat2, dir, "/plain", &how, sizeof(how)));
	SAY("creat", creat("created", 0600));
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	SAY("O_TMPFILE", fd);
	SAY("write to it", write(fd, "nameless", 8));
	sprintf(text, "/proc/self/fd/%d", fd);
	SAY("linkat of it", linkat(AT_FDCWD, text, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	SAY("reopen through /proc", open(text, O_RDONLY));
	SAY("mkdirat", mkdirat(dir, "folder", 0755));
	SAY("mknodat fifo", mknodat(dir, "fifo", S_IFIFO | 0600, 0));
	SAY("mknodat device", mknodat(dir, "device", S_IFCHR | 0600, 0x103));
	SAY("symlinkat", symlinkat("plain", dir, "soft"));
	SAY("linkat", linkat(dir, "plain", dir, "hard", 0));
	SAY("renameat", renameat(dir, "hard", dir, "harder"));
	SAY("renameat2 noreplace", syscall(SYS_renameat2, dir, "harder", dir, "plain", 1));
	SAY("renameat2 exchange", syscall(SYS_renameat2, dir, "harder", dir, "created", 2));
	SAY("rename of a folder", rename("folder", "moved"));
	SAY("rename into it", rename("created", "moved/created"));
	SAY("truncate", truncate("plain", 5));
	SAY("ftruncate", ftruncate(fd, 3));
	SAY("fallocate", fallocate(fd, 0, 0, 8192));
	SAY("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	SAY("fchmodat", fchmodat(dir, "plain", 0600, 0));
	SAY("fchmod", fchmod(fd, 0640));
	SAY("chown to oneself", chown("plain", getuid(), getgid()));
	SAY("chown to root", chown("plain", 0, 0));
	SAY("utimensat", utimensat(dir, "plain", (struct timespec[]){ { 1, 0 }, { 1, 0 } }, 0));
	SAY("setxattr", setxattr("plain", "user.a", "b", 1, 0));
	SAY("removexattr", removexattr("plain", "user.a"));
	SAY("security xattr", setxattr("plain", "security.a", "b", 1, 0));
	named->handle_bytes = MAX_HANDLE_SZ;
	SAY("name_to_handle_at", name_to_handle_at(dir, "plain", named, &mount, 0));
	SAY("open_by_handle_at", open_by_handle_at(dir, named, O_RDONLY));
	SAY("sendfile", sendfile(fd, open("plain", O_RDONLY), NULL, 5));
	SAY("copy_file_range", copy_file_range(open("plain", O_RDONLY), NULL, fd, NULL, 5, 0));
	SAY("preadv2", preadv2(fd, &(struct iovec){ text, 4 }, 1, 0, RWF_NOWAIT & 0));
	SAY("statx", syscall(SYS_statx, dir, "plain", 0, 0x7ff, text));
	SAY("faccessat2", syscall(SYS_faccessat2, dir, "plain", R_OK, AT_EACCESS));
	SAY("unlinkat", unlinkat(dir, "soft", 0));
	SAY("read a folder", read(open("moved", O_RDONLY), text, 1));
	SAY("rmdir", rmdir("moved"));
	lease = open("plain", O_RDONLY);
	SAY("lease", fcntl(lease, F_SETLEASE, F_RDLCK));
	SAY("end of it", fcntl(lease, F_SETLEASE, F_UNLCK));
	SAY("flock range", fcntl(fd, F_OFD_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_len = 1 }));
	SAY("close_range", syscall(SYS_close_range, 900, 1000, 0));
	SAY("chdir", chdir("moved"));
	SAY("fchdir", fchdir(dir));
	SAY("chroot", chroot("/"));
	SAY("mount", syscall(SYS_mount, "none", "moved", "tmpfs", 0, NULL));
	SAY("open_tree", syscall(SYS_open_tree, dir, ".", 0));
	SAY("open_tree clone", syscall(SYS_open_tree, dir, ".", 1));
}

static void memory(void)
{
	int fd = memfd_create("memory", MFD_ALLOW_SEALING);
	long page = sysconf(_SC_PAGESIZE);
	void *at;

	SAY("memfd", fd);
	SAY("grow", ftruncate(fd, page));
	at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SAY("map it", at == MAP_FAILED ? -1 : 0);
	memcpy(at, "\xb8\x2a\x00\x00\x00\xc3", 6);
	SAY("make it executable", mprotect(at, page, PROT_READ | PROT_EXEC));
	printf("code from memory: %d\n", ((int (*)(void))at)());
	at = mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SAY("writable code", at == MAP_FAILED ? -1 : 0);
	at = mremap(at, page, 2 * page, MREMAP_MAYMOVE);
	SAY("mremap", at == MAP_FAILED ? -1 : 0);
	SAY("seal", fcntl(memfd_create("sealed", MFD_ALLOW_SEALING), F_ADD_SEALS, F_SEAL_WRITE));
	at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, open("/bin/true", O_RDONLY), 0);
	SAY("map a program", at == MAP_FAILED ? -1 : 0);
	SAY("shm_open", shm_open("/compat-of-tyr", O_CREAT | O_RDWR, 0600));
	SAY("shm_unlink", shm_unlink("/compat-of-tyr"));
	SAY("shmget", shmctl(shmget(IPC_PRIVATE, page, IPC_CREAT | 0600), IPC_RMID, NULL));
	SAY("msgget", msgctl(msgget(IPC_PRIVATE, IPC_CREAT | 0600), IPC_RMID, NULL));
	SAY("mq_open", mq_open("/compat-of-tyr", O_CREAT | O_RDWR, 0600, NULL));
	SAY("mq_unlink", mq_unlink("/compat-of-tyr"));
	SAY("sem_open", sem_open("/compat-of-tyr", O_CREAT, 0600, 1) == SEM_FAILED ? -1 : 0);
	SAY("sem_unlink", sem_unlink("/compat-of-tyr"));
}

static int wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static void *exec_in_thread(void *unused)
{
	execl("/bin/true", "true", NULL);
	return unused;
}

static int exit_at_once(void *code)
{
	_exit(*(int *)code);
}

static void script_and_memory(void)
{
	char *const arguments[] = { "true", NULL };
	int program = open("/bin/true", O_RDONLY | O_CLOEXEC), memory = memfd_create("program", MFD_CLOEXEC);
	struct stat facts;
	pid_t pid;

	if (!(pid = fork()))
		_exit(syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH) ? errno : 0);
	printf("execveat of a descriptor: %d\n", wait_for(pid));
	fstat(program, &facts);
	SAY("copy into memory", sendfile(memory, program, NULL, facts.st_size));
	if (!(pid = fork()))
		_exit(fexecve(memory, arguments, environ) ? errno : 0);
	printf("fexecve of memory: %d\n", wait_for(pid));
	make("script", "#!/bin/sh\nexit 5\n");
	chmod("script", 0700);
	if (!(pid = fork()))
		_exit(execl("./script", "script", NULL) ? errno : 0);
	printf("script: %d\n", wait_for(pid));
	if (!(pid = fork()))
		_exit(execl("/lib64/ld-linux-x86-64.so.2", "ld", "/bin/true", NULL) ? errno : 0);
	printf("through the loader: %d\n", wait_for(pid));
}

static void processes(void)
{
	static char stack[1 << 16];
	pthread_t thread;
	int code = 9;
	pid_t pid;

	script_and_memory();
	if (!(pid = vfork()))
		execl("/bin/false", "false", NULL);
	printf("vfork: %d\n", wait_for(pid));
	if (posix_spawn(&pid, "/bin/false", NULL, NULL, (char *[]){ "false", NULL }, environ))
		pid = -1;
	printf("posix_spawn: %d\n", wait_for(pid));
	pid = clone(exit_at_once, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, &code);
	printf("clone sharing memory: %d\n", wait_for(pid));
	if (!(pid = fork())) {
		pthread_create(&thread, NULL, exec_in_thread, NULL);
		pause();
	}
	printf("exec from a thread: %d\n", wait_for(pid));
	if (!(pid = fork())) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(4);
	}
	wait_for(pid);
	SAY("peek a child", (ptrace(PTRACE_PEEKDATA, pid, stack, NULL), errno ? -1 : 0));
	SAY("process_vm_writev", process_vm_writev(pid, &(struct iovec){ stack, 8 }, 1, &(struct iovec){ stack, 8 }, 1, 0));
	SAY("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
	SAY("pidfd_getfd", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), 1, 0));
	SAY("detach", ptrace(PTRACE_DETACH, pid, NULL, NULL));
	printf("traced child: %d\n", wait_for(pid));
	if (!(pid = fork()))
		pause();
	SAY("stop", kill(pid, SIGSTOP));
	SAY("continue", kill(pid, SIGCONT));
	SAY("setpriority", syscall(SYS_setpriority, 0, pid, 5));
	SAY("affinity", sched_setaffinity(pid, sizeof(cpu_set_t), &(cpu_set_t){ { 1 } }));
	SAY("prlimit", syscall(SYS_prlimit64, pid, 7, NULL, stack));
	SAY("kill", kill(pid, SIGTERM));
	printf("killed child: %d\n", wait_for(pid));
	SAY("kill init", kill(1, 0));
	SAY("trace init", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	SAY("PR_SET_NAME", prctl(PR_SET_NAME, "renamed"));
	SAY("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 1));
	SAY("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
	SAY("keyctl", syscall(SYS_keyctl, 0, -3, 1));
	SAY("add_key", syscall(SYS_add_key, "user", "compat", "x", 1, -2));
	SAY("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	SAY("setns", setns(open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET));
	SAY("unshare files", unshare(CLONE_FILES | CLONE_FS));
}

static struct sockaddr_in loopback(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	bind(fd, (struct sockaddr *)&address, length);
	getsockname(fd, (struct sockaddr *)&address, &length);
	return address;
}

static void network(void)
{
	int server = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), one = 1, pair[2];
	int mapped = socket(AF_INET6, SOCK_STREAM, 0), fast = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in tcp = loopback(server), to = loopback(udp);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = tcp.sin_port };
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "datagrams" };
	struct iovec part = { "text", 4 };
	struct mmsghdr many[2] = { { .msg_hdr = { &to, sizeof(to), &part, 1 } }, { .msg_hdr = { &to, sizeof(to), &part, 1 } } };

	listen(server, 8);
	six.sin6_addr.s6_addr[10] = six.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&six.sin6_addr.s6_addr[12], &tcp.sin_addr, 4);
	SAY("connect mapped", connect(mapped, (struct sockaddr *)&six, sizeof(six)));
	SAY("fast open", sendto(fast, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&tcp, sizeof(tcp)));
	SAY("sendto", sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	SAY("sendmmsg", sendmmsg(udp, many, 2, 0));
	SAY("connect udp", connect(udp, (struct sockaddr *)&to, sizeof(to)));
	SAY("disconnect udp", connect(udp, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
	SAY("raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	SAY("packet socket", socket(AF_PACKET, SOCK_RAW, 0));
	SAY("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	SAY("mptcp", socket(AF_INET, SOCK_STREAM, 262));
	SAY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno != EAFNOSUPPORT ? -1 : 0);
	SAY("reuse", setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	SAY("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	SAY("bind unix", bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&path, sizeof(path)));
	SAY("send to unix", sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (struct sockaddr *)&path, sizeof(path)));
	SAY("unlink it", unlink(path.sun_path));
	SAY("splice", (pipe(pair), splice(open("plain", O_RDONLY), NULL, pair[1], NULL, 5, 0)));
	SAY("vmsplice", vmsplice(pair[1], &part, 1, 0));
}

static void watches(void)
{
	int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
	sigset_t signals;

	SAY("fanotify_init", fan);
	SAY("fanotify_mark", fanotify_mark(fan, FAN_MARK_ADD, FAN_CREATE | FAN_ONDIR, AT_FDCWD, "."));
	SAY("fanotify as root", fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
	SAY("inotify", inotify_add_watch(inotify_init(), ".", IN_ALL_EVENTS));
	SAY("eventfd", eventfd(0, 0));
	SAY("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
	sigemptyset(&signals);
	SAY("signalfd", signalfd(-1, &signals, 0));
	SAY("epoll", epoll_create1(0));
	SAY("userfaultfd", syscall(SYS_userfaultfd, 1));
	SAY("bpf", syscall(SYS_bpf, 0, NULL, 0));
	SAY("landlock", syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0 ? 0 : -1);
	SAY("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SAY("seccomp", prctl(PR_SET_SECCOMP, 2, NULL));
}

static int ring_result(struct io_uring *ring)
{
	struct io_uring_cqe *done;
	int result;

	io_uring_submit(ring);
	if (io_uring_wait_cqe(ring, &done))
		return -1;
	result = done->res;
	io_uring_cqe_seen(ring, done);
	return result;
}

static void ring_calls(const char *kind, unsigned int setup, unsigned char sqe_flags)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	char text[16];
	int error = io_uring_queue_init(8, &ring, setup), fd;

	printf("io_uring %s: %d\n", kind, error);
	if (error)
		return;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "plain", O_RDWR, 0);
	sqe->flags |= sqe_flags;
	fd = ring_result(&ring);
	printf("  open: %d\n", fd < 0 ? fd : 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, fd, text, 5, 0);
	sqe->flags |= sqe_flags;
	printf("  read: %d\n", ring_result(&ring));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_renameat(sqe, AT_FDCWD, "plain", AT_FDCWD, "ringed", 0);
	sqe->flags |= sqe_flags;
	printf("  rename: %d\n", ring_result(&ring));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_renameat(sqe, AT_FDCWD, "ringed", AT_FDCWD, "plain", 0);
	sqe->flags |= sqe_flags;
	printf("  rename back: %d\n", ring_result(&ring));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_mkdirat(sqe, AT_FDCWD, "ring-folder", 0755);
	sqe->flags |= sqe_flags;
	printf("  mkdir: %d\n", ring_result(&ring));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_unlinkat(sqe, AT_FDCWD, "ring-folder", AT_REMOVEDIR);
	sqe->flags |= sqe_flags;
	printf("  rmdir: %d\n", ring_result(&ring));
	io_uring_queue_exit(&ring);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	files();
	memory();
	processes();
	network();
	ring_calls("inline", 0, 0);
	ring_calls("asynchronous", 0, IOSQE_ASYNC);
	ring_calls("polled", IORING_SETUP_SQPOLL, 0);
	watches();
	return 0;
}
