/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What belongs to a file besides its content and its name: times, attributes, access lists, flags. */

enum tyr_ioctl_values {
	TYR_IOCTL_WRITE = 1U << 30,		/* the caller gives data: _IOC_WRITE */
	TYR_IOCTL_READ = 1U << 31,
	TYR_IOCTL_SET_ENCRYPTION = 0x800c6613,	/* FS_IOC_SET_ENCRYPTION_POLICY, by mistake an _IOR */
};

TYR_HOOK(inode_setxattr, "inode_setxattr", "security_inode_setxattr", void *idmap,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_INODE_XATTR);
}

TYR_HOOK(inode_removexattr, "inode_removexattr", "security_inode_removexattr", void *idmap,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_INODE_XATTR);
}

/* From 6.2 on access lists do not pass through the hooks of attributes. */
TYR_HOOK(inode_set_acl, "inode_set_acl", "security_inode_set_acl", void *idmap,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_INODE_XATTR);
}

TYR_HOOK(inode_remove_acl, "inode_remove_acl", "security_inode_remove_acl", void *idmap,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_INODE_XATTR);
}

/* Size, mode and owner have hooks of their own, which know the path that was asked for. */
static __always_inline int tyr_judge_times(struct dentry *dentry, struct iattr *attributes)
{
	if (!(BPF_CORE_READ(attributes, ia_valid) & (ATTR_ATIME_SET | ATTR_MTIME_SET | ATTR_TOUCH)))
		return 0;
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_INODE_SETATTR);
}

/* Before 6.9 the LSM hook has no idmap; the function that calls it has one since 5.12. */
SEC("lsm/inode_setattr")
int lsm_inode_setattr(unsigned long long *ctx)
{
	if (bpf_core_field_exists(union security_list_options, file_post_open))
		return tyr_answer(tyr_judge_times((void *)ctx[1], (void *)ctx[2]));
	return tyr_answer(tyr_judge_times((void *)ctx[0], (void *)ctx[1]));
}

SEC("fmod_ret/security_inode_setattr")
int fmod_inode_setattr(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_times((void *)ctx[1], (void *)ctx[2]));
}

/*
 * Flags, project, version, verity: what a file system takes by ioctl from a descriptor that need
 * not be open for writing. A command that only takes data changes something.
 */
static __always_inline int tyr_judge_file_ioctl(struct file *file, __u32 command)
{
	__u32 kind = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;

	if (kind != S_IFREG && kind != S_IFDIR)
		return 0;
	if (command != TYR_IOCTL_SET_ENCRYPTION &&
	    (command & (TYR_IOCTL_WRITE | TYR_IOCTL_READ)) != TYR_IOCTL_WRITE)
		return 0;
	return tyr_decide_dentry(BPF_CORE_READ(file, f_path.dentry), TYR_ACTION_FILE_WRITE,
				 TYR_HOOK_FILE_IOCTL);
}

TYR_HOOK(file_ioctl, "file_ioctl", "security_file_ioctl", struct file *file, __u64 command)
{
	return tyr_judge_file_ioctl(file, command);
}

TYR_HOOK(file_ioctl_compat, "file_ioctl_compat", "security_file_ioctl_compat", struct file *file,
	 __u64 command)
{
	return tyr_judge_file_ioctl(file, command);
}
