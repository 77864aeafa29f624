/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Self-protection: what no policy may allow a governed task, root or not.
 *
 * What lies in the file systems of the kernel is told by the file system, not by its path: an
 * agent can mount another instance anywhere.
 */
#ifndef TYR_GUARD_BPF_H
#define TYR_GUARD_BPF_H

#include "emit.bpf.h"

enum tyr_guard_limits {
	TYR_SESSION_DEPTH_MAX = 16,	/* sessions inside one another that are followed */
	TYR_CGROUP_DEPTH_MAX = 64,
	TYR_INIT_TGID = 1,
	TYR_CGROUP_ROOT_ID = 1,
	TYR_MINOR_BITS = 20,
};

#define TYR_DEVICE(major, minor) ((major) << TYR_MINOR_BITS | (minor))

/* Whether it is one of Tyr's own processes. `task` need not be one that verifiers trust. */
static __always_inline int tyr_is_own(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 *start = bpf_map_lookup_elem(&own, &tgid);

	return start && *start == BPF_CORE_READ(task, group_leader, start_boottime) / TYR_TICK_NS;
}

/* Processes that nobody governed may touch: Tyr's, and the one that keeps Tyr running. */
static __always_inline int tyr_is_keeper(struct task_struct *task)
{
	return BPF_CORE_READ(task, tgid) == TYR_INIT_TGID || tyr_is_own(task);
}

/* Whether session `number` is `ancestor`, or was started inside it. */
TYR_GLOBAL int tyr_session_is_within(__u64 number, __u64 ancestor)
{
#pragma clang loop unroll(disable)
	for (int depth = 0; depth < TYR_SESSION_DEPTH_MAX; depth++) {
		struct tyr_session *session;

		if (!number)
			return 0;
		if (number == ancestor)
			return 1;
		session = bpf_map_lookup_elem(&sessions, &number);
		if (!session)
			return 0;
		number = session->parent;
	}
	return 0;
}

/* The session of another task, 0 for none. Unlike tyr_session_of it changes nothing there. */
static __always_inline __u64 tyr_session_seen(struct tyr_task *task)
{
	__u64 number = task->candidate;

	if (number && bpf_map_lookup_elem(&sessions, &number))
		return number;
	number = task->session;
	if (number && (task->flags & TYR_TASK_AGENT || bpf_map_lookup_elem(&sessions, &number)))
		return number;
	return 0;
}

enum tyr_reach {
	TYR_REACH_SIGNAL,	/* as far as an unprivileged user reaches */
	TYR_REACH_INJECT,	/* not out of the session */
	TYR_REACH_LOOK,		/* everything but Tyr */
};

/*
 * Whether a task of session `number` may act on `target`. Its own session, and those started
 * inside it, are open to it; what Tyr needs and other sessions are not. Signals leave a session
 * only between processes of one unprivileged user.
 */
static __always_inline int tyr_may_reach(__u64 number, struct task_struct *target, __u32 reach)
{
	struct tyr_task *task;
	__u32 who, mine, uid;
	__u64 other = 0;

	task = tyr_task_find(target, &who);
	if (who == TYR_WHO_FAULT)
		return 0;
	if (task)
		other = tyr_session_seen(task);
	if (other && tyr_session_is_within(other, number))
		return 1;
	if (reach == TYR_REACH_LOOK)
		return !tyr_is_own(target);
	if (other || reach == TYR_REACH_INJECT || tyr_is_keeper(target))
		return 0;
	mine = (__u32)bpf_get_current_uid_gid();
	uid = BPF_CORE_READ(target, cred, uid.val);
	return mine && mine == uid && BPF_CORE_READ(target, cred, suid.val) &&
	       BPF_CORE_READ(bpf_get_current_task_btf(), cred, euid.val);
}

enum tyr_guard_kind {
	TYR_GUARD_NONE = 0,	/* nothing to protect: ordinary files */
	TYR_GUARD_BLOCK,
	TYR_GUARD_PROC,
	TYR_GUARD_KERNEL,
	TYR_GUARD_CGROUP,
	TYR_GUARD_CGROUP_OLD,
	TYR_GUARD_PINS,
	TYR_GUARD_RAW,		/* character devices that reach memory, disks or other processors */
	TYR_GUARD_INPUT,	/* devices that whoever writes to them types with */
};

/* Devices with a number of their own. Those without have rules by path. */
static __always_inline __u32 tyr_char_kind(__u32 device)
{
	switch (device >> TYR_MINOR_BITS) {
	case 13:	/* input */
		return TYR_GUARD_INPUT;
	case 21:	/* SCSI generic */
	case 90:	/* flash memory */
	case 202:	/* model specific registers */
		return TYR_GUARD_RAW;
	}
	switch (device) {
	case TYR_DEVICE(1, 1):		/* mem */
	case TYR_DEVICE(1, 2):		/* kmem */
	case TYR_DEVICE(1, 4):		/* port */
	case TYR_DEVICE(1, 6):		/* core */
	case TYR_DEVICE(10, 130):	/* watchdog: restarts the machine */
	case TYR_DEVICE(10, 144):	/* nvram */
	case TYR_DEVICE(10, 231):	/* snapshot: an image of memory, with all processes stopped */
	case TYR_DEVICE(10, 236):	/* device mapper */
	case TYR_DEVICE(10, 237):	/* loop control */
		return TYR_GUARD_RAW;
	case TYR_DEVICE(10, 223):	/* uinput */
		return TYR_GUARD_INPUT;
	}
	return TYR_GUARD_NONE;
}

static __always_inline __u32 tyr_guard_kind(__u32 mode, __u32 device, __u64 magic)
{
	mode &= S_IFMT;
	if (mode == S_IFBLK)
		return TYR_GUARD_BLOCK;
	if (mode == S_IFCHR)
		return tyr_char_kind(device);
	switch (magic) {
	case PROC_SUPER_MAGIC:
		return TYR_GUARD_PROC;
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case CONFIGFS_MAGIC:
	case BINFMTFS_MAGIC:
	case EFIVARFS_MAGIC:
		return TYR_GUARD_KERNEL;
	case CGROUP2_SUPER_MAGIC:
		return TYR_GUARD_CGROUP;
	case CGROUP_SUPER_MAGIC:
		return TYR_GUARD_CGROUP_OLD;
	case BPF_FS_MAGIC:
		return TYR_GUARD_PINS;
	}
	return TYR_GUARD_NONE;
}

/* Whether work->path begins with `text`, an array without its NUL. */
static __always_inline int tyr_path_begins(struct tyr_scratch *work, const char *text, int length)
{
	for (int i = 0; i < length; i++)
		if (work->path[(work->place.offset & (TYR_PATH_MAX - 1)) + i] != text[i])
			return 0;
	return 1;
}

#define TYR_BEGINS(work, text) tyr_path_begins(work, text, sizeof(text) - 1)

/* The process that an inode of procfs tells of, a plain address; 0 for none. */
static __always_inline struct task_struct *tyr_proc_task(struct inode *inode)
{
	struct proc_inode *entry;
	struct hlist_node *node;
	struct pid *pid;

	entry = (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	pid = BPF_CORE_READ(entry, pid);
	if (!pid)
		return 0;
	node = BPF_CORE_READ(pid, tasks[0].first);
	if (!node)
		return 0;
	return (void *)node - bpf_core_field_offset(struct task_struct, pid_links);
}

/* Settings of the network are the namespace's own; the others are the whole kernel's. */
static __noinline __u32 tyr_guard_proc(struct tyr_scratch *work, struct inode *inode, int write)
{
	struct task_struct *task = inode ? tyr_proc_task(inode) : 0;

	if (task)
		return write && tyr_is_keeper(task) ? TYR_OWN_PROCESS_FILE : 0;
	if (work->place.outcome != TYR_PATH_SETTLED)
		return TYR_OWN_KERNEL;
	if (TYR_BEGINS(work, "/kcore") || TYR_BEGINS(work, "/vmcore"))
		return TYR_OWN_KERNEL;
	if (!write || TYR_BEGINS(work, "/pressure/"))
		return 0;
	if (work->place.length && work->path[work->place.offset & (TYR_PATH_MAX - 1)] == '/') {
		__u8 first = work->path[(work->place.offset + 1) & (TYR_PATH_MAX - 1)];

		/* A process that has ended since. */
		if (first >= '0' && first <= '9')
			return 0;
	}
	if (TYR_BEGINS(work, "/sys/net/") && !TYR_BEGINS(work, "/sys/net/core/bpf_jit"))
		return 0;
	return TYR_OWN_KERNEL;
}

/*
 * A control group may be made and set by those that live above it, as container tools do; that
 * of the task itself, its ancestors and everybody else's holds others too.
 */
static __noinline __u32 tyr_guard_cgroup(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	__u64 mine = bpf_get_current_cgroup_id();

	if (mine <= TYR_CGROUP_ROOT_ID)
		return TYR_OWN_CGROUP;
	dentry = BPF_CORE_READ(dentry, d_parent);
	if (inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFDIR)
		dentry = BPF_CORE_READ(dentry, d_parent);
#pragma clang loop unroll(disable)
	for (int depth = 0; depth < TYR_CGROUP_DEPTH_MAX; depth++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (BPF_CORE_READ(dentry, d_inode, i_ino) == mine)
			return 0;
		if (parent == dentry)
			break;
		dentry = parent;
	}
	return TYR_OWN_CGROUP;
}

/* The rule (enum tyr_own_rule) that forbids to open or write work->place; 0: none does. */
TYR_GLOBAL __u32 tyr_guard_at(struct tyr_scratch *work, __u32 kind, int write)
{
	if (!work)
		return TYR_OWN_KERNEL;
	switch (kind) {
	case TYR_GUARD_BLOCK:
	case TYR_GUARD_RAW:
		return TYR_OWN_DEVICE;
	case TYR_GUARD_INPUT:
		return write ? TYR_OWN_DEVICE : 0;
	case TYR_GUARD_PINS:
		return TYR_OWN_PINS;
	case TYR_GUARD_PROC:
		return tyr_guard_proc(work, (void *)work->inode, write);
	}
	if (!write)
		return 0;
	switch (kind) {
	case TYR_GUARD_KERNEL:
		return TYR_OWN_KERNEL;
	case TYR_GUARD_CGROUP:
		return tyr_guard_cgroup((void *)work->dentry);
	case TYR_GUARD_CGROUP_OLD:
		return TYR_OWN_CGROUP;
	}
	return 0;
}

static __always_inline __u32 tyr_guard_place(struct tyr_scratch *work, struct dentry *dentry,
					     struct inode *inode, __u32 kind, int write)
{
	work->dentry = (__u64)dentry;
	work->inode = (__u64)inode;
	return tyr_guard_at(work, kind, write);
}

#endif
