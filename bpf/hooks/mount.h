/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mounts: an agent may not give objects names that rules then go by.
 *
 * User space believes the mount tables of the host and of containers. There a governed task may
 * mount a directory or file only where the same rules apply; what has no settled place yet, a new
 * file system or one named only by a string, may be anything. In a namespace of a user namespace,
 * or one that the agent made itself, it mounts what it likes: nothing there gets a name.
 */

enum tyr_mount_flags {
	TYR_MS_REMOUNT = 32,
	TYR_MS_BIND = 4096,
	TYR_MS_PROPAGATION = 0x1e0000,	/* unbindable, private, slave, shared */
};

/*
 * Whether a mount onto `parent` (or its end) by the current task changes what user space believes.
 * A namespace in which a governed task could mount freely is never believed again.
 */
static __noinline int tyr_mount_is_believed(struct vfsmount *parent)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u32 who, number, agents = TYR_NAMESPACE_AGENTS, *state;
	struct mnt_namespace *namespace;

	if (!tyr_task_find(current, &who) && who == TYR_WHO_NONE)
		return 0;
	namespace = BPF_CORE_READ(current, nsproxy, mnt_ns);
	if (BPF_CORE_READ(namespace, user_ns, level))
		return 0;
	if (BPF_CORE_READ(parent, mnt_flags) & MNT_SHARED)
		return 1;
	number = BPF_CORE_READ(namespace, ns.inum);
	bpf_map_update_elem(&namespaces, &number, &agents, BPF_NOEXIST);
	state = bpf_map_lookup_elem(&namespaces, &number);
	return !state || *state != TYR_NAMESPACE_AGENTS;
}

/* `from` is 0 when it is not known what is mounted: then no rule may deny anything. */
static __always_inline int tyr_judge_mount(struct dentry *from, struct dentry *to, __u32 hook)
{
	if (!from)
		return tyr_decide_unknown_move(to, hook);
	if (tyr_decide_dentry(to, TYR_ACTION_FILE_WRITE, hook))
		return -EPERM;
	return tyr_decide_move(from, to, hook);
}

/*
 * mount(2) alone asks for the capability after its hook. Who lacks it is refused in any case, and
 * neither is that a denial of Tyr's nor does it make the namespace one that agents mount in. In the
 * user namespace of the believed ones only its own members can have it.
 */
static __always_inline int tyr_may_mount(void)
{
	const struct cred *cred = BPF_CORE_READ(bpf_get_current_task_btf(), cred);
	__u64 held = 0;

	if (bpf_core_read(&held, sizeof(held), &cred->cap_effective))
		return 1;
	return held & 1ULL << CAP_SYS_ADMIN && !BPF_CORE_READ(cred, user_ns, level);
}

/* mount(2) names what it mounts by a string, which only the kernel itself can follow. */
TYR_HOOK(sb_mount, "sb_mount", "security_sb_mount", const char *name, struct path *path,
	 const char *type, unsigned long flags)
{
	if (flags & TYR_MS_REMOUNT)
		return 0;
	if (!(flags & TYR_MS_BIND) && flags & TYR_MS_PROPAGATION)
		return 0;
	if (!tyr_may_mount() || !tyr_mount_is_believed(BPF_CORE_READ(path, mnt)))
		return 0;
	return tyr_judge_mount(0, BPF_CORE_READ(path, dentry), TYR_HOOK_MOUNT);
}

/* What open_tree or fsmount made, or a mount that changes its place. */
TYR_HOOK(move_mount, "move_mount", "security_move_mount", struct path *from, struct path *to)
{
	if (!tyr_mount_is_believed(BPF_CORE_READ(to, mnt)))
		return 0;
	return tyr_judge_mount(BPF_CORE_READ(from, dentry), BPF_CORE_READ(to, dentry),
			       TYR_HOOK_MOUNT);
}

/* Takes a name away, by which a rule may know the object, and shows what was covered. */
TYR_HOOK(sb_umount, "sb_umount", "security_sb_umount", struct vfsmount *mount)
{
	struct mount *around = (void *)mount - bpf_core_field_offset(struct mount, mnt);
	struct mount *parent = BPF_CORE_READ(around, mnt_parent);

	if (!tyr_mount_is_believed((void *)parent + bpf_core_field_offset(struct mount, mnt)))
		return 0;
	return tyr_judge_mount(0, BPF_CORE_READ(mount, mnt_root), TYR_HOOK_UMOUNT);
}

/* Changes the name of everything. */
TYR_HOOK(sb_pivotroot, "sb_pivotroot", "security_sb_pivotroot", struct path *old,
	 struct path *new)
{
	if (!tyr_mount_is_believed(BPF_CORE_READ(new, mnt)))
		return 0;
	return tyr_judge_mount(0, BPF_CORE_READ(new, dentry), TYR_HOOK_MOUNT);
}

/* What a governed task mounts anew; see private.bpf.h. */
TYR_HOOK(sb_kern_mount, "sb_kern_mount", "security_sb_kern_mount", struct super_block *sb)
{
	struct tyr_session *session;
	struct tyr_task *task;
	__u64 key = (__u64)sb;
	__u32 who, one = 1;

	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (task && tyr_session_of(task, &session) && tyr_may_be_private(BPF_CORE_READ(sb, s_magic)))
		bpf_map_update_elem(&private_mounts, &key, &one, BPF_ANY);
	return 0;
}

/* Nothing has it open any more, and its number is still its own. */
TYR_HOOK_VOID(sb_delete, "sb_delete", "security_sb_delete", struct super_block *sb)
{
	__u32 dev = BPF_CORE_READ(sb, s_dev);
	struct tyr_image_ref image = {};

	if (dev && !tyr_image_open(&image))
		tyr_superblock_forget(image.header, dev);
	return 0;
}

TYR_HOOK_VOID(sb_free, "sb_free_security", "security_sb_free", struct super_block *sb)
{
	__u64 key = (__u64)sb;

	tyr_super_freed();
	bpf_map_delete_elem(&private_mounts, &key);
	return 0;
}
