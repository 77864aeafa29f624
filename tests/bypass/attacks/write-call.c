// tries: changes a protected file, or a name in a protected folder, with each call that can, without opening it to write
// target: write
// variants: truncate truncate-on-open unlink rmdir rename-away rename-onto exchange link-away link-onto mkdir mknod
//           socket symlink chmod fchmod chown fchown lchown utimensat futimens utime setxattr fsetxattr lsetxattr
//           removexattr acl acl-remove flags fsxattr version tmpfile-link
// setup: ln -s gone locked/link && chown -h --reference=. locked/link && $ATTACK "$PWD" setup
// event: locked/file locked/new locked/empty locked/link

#include "attack.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <utime.h>

#define NEW "locked/new"
#define ACL "system.posix_acl_access"

struct way {
	const char *name;
	long (*go)(void);
};

static long reading(void)
{
	return STEP(open(LOCKED, O_RDONLY));
}

static long way_truncate(void) { return truncate(LOCKED, 0); }
static long way_truncate_on_open(void) { return open(LOCKED, O_RDONLY | O_TRUNC); }
static long way_unlink(void) { return unlink(LOCKED); }
static long way_rmdir(void) { return rmdir("locked/empty"); }
static long way_rename_away(void) { return rename(LOCKED, "free/moved"); }
static long way_rename_onto(void) { return rename("free/file", LOCKED); }
static long way_link_away(void) { return link(LOCKED, "free/link"); }
static long way_link_onto(void) { return link("free/file", NEW); }
static long way_mkdir(void) { return mkdir(NEW, 0700); }
static long way_mknod(void) { return mknod(NEW, S_IFIFO | 0600, 0); }
static long way_symlink(void) { return symlink("/gone", NEW); }
static long way_chmod(void) { return chmod(LOCKED, 0600); }
static long way_fchmod(void) { return fchmod(reading(), 0600); }
static long way_utime(void) { return utime(LOCKED, &(struct utimbuf){ 1, 1 }); }
static long way_setxattr(void) { return setxattr(LOCKED, "user.new", "x", 1, 0); }
static long way_fsetxattr(void) { return fsetxattr(reading(), "user.new", "x", 1, 0); }
static long way_removexattr(void) { return removexattr(LOCKED, "user.there"); }
static long way_acl_remove(void) { return removexattr(LOCKED, ACL); }

/* To the owner that it has: everybody may, and the file has another time of change afterwards. */
static long way_chown(void) { return chown(LOCKED, geteuid(), getegid()); }
static long way_fchown(void) { return fchown(reading(), geteuid(), getegid()); }
static long way_lchown(void) { return lchown("locked/link", geteuid(), getegid()); }

static long way_exchange(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, "free/file", AT_FDCWD, LOCKED, RENAME_EXCHANGE);
}

static long way_socket(void)
{
	struct sockaddr_un name = { AF_UNIX, NEW };

	return bind(STEP(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name));
}

static long way_utimensat(void)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	return utimensat(AT_FDCWD, LOCKED, times, 0);
}

/* Now: the time that every write also sets. */
static long way_futimens(void)
{
	return futimens(reading(), NULL);
}

static long way_lsetxattr(void)
{
	return geteuid() ? lsetxattr(LOCKED, "user.new", "x", 1, 0) :
			   lsetxattr("locked/link", "trusted.new", "x", 1, 0);
}

struct acl_entry {
	unsigned short tag;
	unsigned short permissions;
	unsigned int id;
};

/* One named user with `permissions`, as the kernel reads it. */
static long set_acl(unsigned short permissions)
{
	struct {
		unsigned int version;
		struct acl_entry entry[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, permissions, 1 }, { 4, 4, -1 }, { 0x10, 4, -1 }, { 0x20, 4, -1 } } };

	return setxattr(LOCKED, ACL, &acl, sizeof(acl), 0);
}

static long way_acl(void)
{
	return set_acl(6);
}

static void setup(void)
{
	STEP(setxattr(LOCKED, "user.there", "x", 1, 0));
	STEP(set_acl(4));
}

static long way_flags(void)
{
	int flags = FS_NOATIME_FL | FS_NODUMP_FL;

	return ioctl(reading(), FS_IOC_SETFLAGS, &flags);
}

static long way_fsxattr(void)
{
	struct fsxattr attributes = { .fsx_xflags = FS_XFLAG_NODUMP };

	return ioctl(reading(), FS_IOC_FSSETXATTR, &attributes);
}

/* The generation of the inode, by which handles know it. */
static long way_version(void)
{
	int generation = 4711;

	return ioctl(reading(), FS_IOC_SETVERSION, &generation);
}

static long way_tmpfile_link(void)
{
	char path[64];
	int fd = STEP(open("free", O_TMPFILE | O_WRONLY, 0600));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, NEW, AT_SYMLINK_FOLLOW);
}

static const struct way ways[] = {
	{ "truncate", way_truncate },
	{ "truncate-on-open", way_truncate_on_open },
	{ "unlink", way_unlink },
	{ "rmdir", way_rmdir },
	{ "rename-away", way_rename_away },
	{ "rename-onto", way_rename_onto },
	{ "exchange", way_exchange },
	{ "link-away", way_link_away },
	{ "link-onto", way_link_onto },
	{ "mkdir", way_mkdir },
	{ "mknod", way_mknod },
	{ "socket", way_socket },
	{ "symlink", way_symlink },
	{ "chmod", way_chmod },
	{ "fchmod", way_fchmod },
	{ "chown", way_chown },
	{ "fchown", way_fchown },
	{ "lchown", way_lchown },
	{ "utimensat", way_utimensat },
	{ "futimens", way_futimens },
	{ "utime", way_utime },
	{ "setxattr", way_setxattr },
	{ "fsetxattr", way_fsetxattr },
	{ "lsetxattr", way_lsetxattr },
	{ "removexattr", way_removexattr },
	{ "acl", way_acl },
	{ "acl-remove", way_acl_remove },
	{ "flags", way_flags },
	{ "fsxattr", way_fsxattr },
	{ "version", way_version },
	{ "tmpfile-link", way_tmpfile_link },
};

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("setup")) {
		setup();
		done();
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (is(ways[i].name)) {
			STEP(ways[i].go());
			done();
		}
	}
	errno = EINVAL;
	broken(variant);
}
