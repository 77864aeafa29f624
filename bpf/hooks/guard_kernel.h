/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Self-protection: the ways to change the kernel that do not go through a file. */

extern const void init_task __ksym __weak;

/* Denies what has no object, with one argument in the record. */
static __noinline int tyr_judge_kernel(__u32 hook, __u32 rule, __u32 argument, __u32 cell)
{
	struct tyr_decision decision = {};

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	decision.work->place.dev = argument;
	decision.work->place.ino = 0;
	decision.work->place.offset = 0;
	decision.work->place.length = 0;
	return tyr_refuse(&decision, rule, cell);
}

/* All of bpf(2): programs could take Tyr's place, and every map can be had by its number. */
TYR_HOOK(guard_bpf, "bpf", "security_bpf", int command)
{
	return tyr_judge_kernel(TYR_HOOK_BPF, TYR_OWN_BPF, command, 0);
}

/* Root's perf can place probes that read any process. What others may do stays theirs. */
TYR_HOOK(guard_perf, "perf_event_open", "security_perf_event_open")
{
	const struct cred *cred = BPF_CORE_READ(bpf_get_current_task_btf(), cred);
	__u64 held = 0;

	if (!bpf_core_read(&held, sizeof(held), &cred->cap_effective) &&
	    !(held & (1ULL << CAP_SYS_ADMIN | 1ULL << CAP_PERFMON)))
		return 0;
	return tyr_judge_kernel(TYR_HOOK_PERF, TYR_OWN_PERF, 0, 0);
}

/*
 * Modules, raw I/O, reboot with kexec, and the clock. A capability over a namespace of the task's
 * own is not asked about.
 */
TYR_HOOK(guard_capable, "capable", "security_capable", const struct cred *cred,
	 struct user_namespace *namespace, int capability, unsigned int options)
{
	if (capability != CAP_SYS_MODULE && capability != CAP_SYS_RAWIO &&
	    capability != CAP_SYS_BOOT && capability != CAP_SYS_TIME)
		return 0;
	if (BPF_CORE_READ(namespace, parent))
		return 0;
	return tyr_judge_kernel(TYR_HOOK_CAPABLE, TYR_OWN_CAPABILITY, capability,
				options & CAP_OPT_NOAUDIT ? TYR_CELL_SILENT : 0);
}

/* PR_SET_MM makes /proc/self/exe and the command line say anything. */
TYR_HOOK(guard_prctl, "task_prctl", "security_task_prctl", int option)
{
	if (option != PR_SET_MM)
		return 0;
	return tyr_judge_kernel(TYR_HOOK_PRCTL, TYR_OWN_MEMORY_MAP, 0, 0);
}

enum tyr_guard_ioctls {
	TYR_EXT4_SWAP_BOOT = 0x6611,
	TYR_FREEZE = 0xc0045877,
	TYR_SHUTDOWN = 0x8004587d,
	TYR_BTRFS_SNAP_CREATE = 0x50009401,
	TYR_BTRFS_SNAP_CREATE_V2 = 0x50009417,
	TYR_BTRFS_SEND = 0x40489426,
	TYR_BTRFS_SEND_32 = 0x40449426,
};

/*
 * Typing into a terminal that others read from; copies of whole file systems, and contents moved
 * between files, under names that no rule knows; stopping the file system that Tyr writes to.
 */
static __always_inline int tyr_guard_ioctl(unsigned int request)
{
	switch (request) {
	case TIOCSTI:
	case TIOCLINUX:
	case TYR_BTRFS_SNAP_CREATE:
	case TYR_BTRFS_SNAP_CREATE_V2:
	case TYR_BTRFS_SEND:
	case TYR_BTRFS_SEND_32:
	case TYR_EXT4_SWAP_BOOT:
	case TYR_FREEZE:
	case TYR_SHUTDOWN:
		return tyr_judge_kernel(TYR_HOOK_IOCTL, TYR_OWN_IOCTL, request, 0);
	}
	return 0;
}

TYR_HOOK(guard_ioctl, "file_ioctl", "security_file_ioctl", struct file *file,
	 unsigned int request)
{
	return tyr_guard_ioctl(request);
}

/* Kernels that have it ask here for 32-bit programs, others above. */
TYR_HOOK(guard_ioctl_compat, "file_ioctl_compat", "security_file_ioctl_compat",
	 struct file *file, unsigned int request)
{
	return tyr_guard_ioctl(request);
}

/* Whether what happens to `mount` happens on the host: there, or where it is propagated from. */
static __always_inline int tyr_mount_is_hosts(struct mount *mount)
{
	struct task_struct *first = (struct task_struct *)&init_task;

	if (!first || BPF_CORE_READ(mount, mnt_ns) == BPF_CORE_READ(first, nsproxy, mnt_ns))
		return 1;
	return BPF_CORE_READ(mount, mnt_parent, mnt.mnt_flags) & MNT_SHARED;
}

/*
 * Pins are gone with the last mount of their file system. A lazy unmount takes everything mounted
 * below along, and only the topmost is asked about.
 */
TYR_HOOK(guard_umount, "sb_umount", "security_sb_umount", struct vfsmount *unmounted)
{
	struct mount *mount = (void *)unmounted - bpf_core_field_offset(struct mount, mnt);
	void *children = (void *)mount + bpf_core_field_offset(struct mount, mnt_mounts);
	struct tyr_decision decision = {};

	if (BPF_CORE_READ(mount, mnt_mounts.next) == children &&
	    BPF_CORE_READ(unmounted, mnt_sb, s_magic) != BPF_FS_MAGIC)
		return 0;
	if (!tyr_mount_is_hosts(mount))
		return 0;
	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, TYR_HOOK_UNMOUNT, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (tyr_place_of(decision.work, BPF_CORE_READ(mount, mnt_mountpoint)))
		return tyr_decide_class(&decision, -1);
	return tyr_refuse(&decision, TYR_OWN_UNMOUNT, 0);
}

/* Devices that programs bring along for themselves, as containers and boot images do. */
static __always_inline int tyr_char_is_plain(__u32 device)
{
	__u32 major = device >> TYR_MINOR_BITS;

	switch (device) {
	case 0:				/* overlay's whiteout */
	case TYR_DEVICE(1, 3):		/* null */
	case TYR_DEVICE(1, 5):		/* zero */
	case TYR_DEVICE(1, 7):		/* full */
	case TYR_DEVICE(1, 8):		/* random */
	case TYR_DEVICE(1, 9):		/* urandom */
	case TYR_DEVICE(10, 200):	/* tun */
	case TYR_DEVICE(10, 229):	/* fuse */
		return 1;
	}
	return major == 5 || (major >= 136 && major <= 143);	/* terminals */
}

TYR_HOOK(guard_mknod, "inode_mknod", "security_inode_mknod", struct inode *dir,
	 struct dentry *dentry, umode_t mode, dev_t device)
{
	struct tyr_decision decision = {};
	__u32 type = mode & S_IFMT;

	if (type != S_IFBLK && (type != S_IFCHR || tyr_char_is_plain(device)))
		return 0;
	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, TYR_HOOK_MKNOD, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (tyr_place_of(decision.work, dentry))
		return tyr_decide_class(&decision, -1);
	return tyr_refuse(&decision, TYR_OWN_DEVICE, 0);
}
