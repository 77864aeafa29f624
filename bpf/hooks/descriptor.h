/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Using what is open already: a descriptor that an agent was started with, or that it opened when
 * another policy was in force. Reading, writing and mapping are judged again, and reported only
 * when they are denied.
 */

/* Whether a file has a place that rules can name, and was not opened by the kernel for itself. */
static __always_inline int tyr_is_placed(struct file *file)
{
	__u32 kind = file->f_inode->i_mode & S_IFMT;

	if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFBLK)
		return 0;
	if (file->f_mode & FMODE_NOACCOUNT || file->f_flags & FMODE_EXEC_FLAG)
		return 0;
	return !(file->f_inode->i_sb->s_flags & SB_NOUSER);
}

/* What an answer about `file` rests on; file 0 when an answer cannot be kept. */
static __always_inline void tyr_held_now(struct tyr_held *now, struct file *file, __u64 number)
{
	struct tyr_image_ref ref;

	now->file = 0;
	now->number = number;
	/* Without the lock's sequence a rename would go unseen. */
	if (!&rename_lock || tyr_image_open(&ref))
		return;
	now->generation = ref.header->generation;
	now->renames = tyr_rename_sequence();
	now->file = (__u64)(unsigned long)file;
}

static __noinline int tyr_judge_use(struct file *file, __u32 action)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u32 slot = action == TYR_ACTION_FILE_WRITE, who;
	struct tyr_session *session;
	struct tyr_held now, *held;
	struct tyr_scratch *work;
	struct tyr_task *task;
	__u64 number;

	task = tyr_task_find(current, &who);
	if (who == TYR_WHO_FAULT)
		return -EPERM;
	if (!task)
		return 0;
	number = tyr_session_of(task, &session);
	if (!number)
		return 0;
	tyr_held_now(&now, file, number);
	work = bpf_task_storage_get(&scratch, current, 0, 0);
	if (work && now.file) {
		held = &work->held[slot];
		if (held->file == now.file && held->number == now.number &&
		    held->generation == now.generation && held->renames == now.renames)
			return 0;
	}
	if (tyr_decide_quietly(BPF_CORE_READ(file, f_path.dentry), action, TYR_HOOK_FILE_USE))
		return -EPERM;
	work = bpf_task_storage_get(&scratch, current, 0, 0);
	if (work)
		work->held[slot] = now;
	return 0;
}

/* Every read and write, also of what the kernel moves between files. */
TYR_HOOK(file_permission, "file_permission", "security_file_permission", struct file *file,
	 __u64 mask)
{
	if (!(mask & (MAY_READ | MAY_WRITE)) || !tyr_is_placed(file))
		return 0;
	if (mask & MAY_READ && tyr_judge_use(file, TYR_ACTION_FILE_READ))
		return -EPERM;
	return mask & MAY_WRITE ? tyr_judge_use(file, TYR_ACTION_FILE_WRITE) : 0;
}

/*
 * A program started through the dynamic loader is not exec'd: the loader maps it. What a process
 * that runs the loader itself, or a program without one, maps to execute, libraries included, is
 * judged as an exec.
 */
static __always_inline int tyr_judge_mapped_code(struct file *file)
{
	struct tyr_task *task;
	__u32 who;

	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (who == TYR_WHO_FAULT)
		return -EPERM;
	if (!task || !(task->flags & TYR_TASK_LOADER))
		return 0;
	return tyr_decide_dentry(BPF_CORE_READ(file, f_path.dentry), TYR_ACTION_EXEC,
				 TYR_HOOK_MMAP);
}

static __always_inline int tyr_judge_map(struct file *file, __u64 protection, __u64 flags)
{
	if (!file)
		return 0;
	if (protection & PROT_EXEC && tyr_judge_mapped_code(file))
		return -EPERM;
	if (!tyr_is_placed(file))
		return 0;
	/* Whatever it asks for now, a mapping can be made readable later. */
	if (tyr_judge_use(file, TYR_ACTION_FILE_READ))
		return -EPERM;
	if (!(flags & MAP_SHARED) || !(protection & PROT_WRITE))
		return 0;
	return tyr_judge_use(file, TYR_ACTION_FILE_WRITE);
}

/* The LSM hook has the protection asked for and the one given, the function only the latter. */
SEC("lsm/mmap_file")
int lsm_mmap_file(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_map((void *)ctx[0], ctx[1] | ctx[2], ctx[3]));
}

SEC("fmod_ret/security_mmap_file")
int fmod_mmap_file(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_map((void *)ctx[0], ctx[1], ctx[2]));
}

TYR_HOOK(file_mprotect, "file_mprotect", "security_file_mprotect", struct vm_area_struct *area,
	 __u64 asked, __u64 given)
{
	__u64 protection = asked | given;
	struct file *file = area->vm_file;

	if (!file)
		return 0;
	if (protection & PROT_EXEC && tyr_judge_mapped_code(file))
		return -EPERM;
	if (!(protection & PROT_WRITE) || !(area->vm_flags & VM_SHARED) || !tyr_is_placed(file))
		return 0;
	return tyr_judge_use(file, TYR_ACTION_FILE_WRITE);
}
