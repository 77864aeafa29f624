/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Using what is open already: a descriptor that an agent was started with, or that it opened when
 * another policy was in force. Reading, writing and mapping are judged again, and reported only
 * when they are denied.
 */

/* Whether a file has a place that rules can name, and was not opened by the kernel for itself. */
static __always_inline int tyr_is_placed(struct file *file)
{
	__u32 kind;

	/* First what the file itself says: most files of an exec are the kernel's. */
	if (file->f_mode & FMODE_NOACCOUNT || file->f_flags & FMODE_EXEC_FLAG)
		return 0;
	kind = file->f_inode->i_mode & S_IFMT;
	if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFBLK)
		return 0;
	return !(file->f_inode->i_sb->s_flags & SB_NOUSER);
}

struct tyr_using {
	struct tyr_decision *decision;
	__u32 mode;
	__u32 denied;
	__u32 known;		/* enum tyr_remembered_flags */
	__u32 pad;
};

static long tyr_use_step(__u32 index, struct tyr_using *using)
{
	struct tyr_decision *decision = using->decision;
	struct tyr_scratch *work = decision->work;
	__u32 mode = index ? FMODE_WRITE : FMODE_READ;

	if (!(using->mode & mode))
		return 0;
	work->action = index ? TYR_ACTION_FILE_WRITE : TYR_ACTION_FILE_READ;
	tyr_judge_place(decision, 0);
	if (!tyr_cell_denies(work->cell)) {
		if (work->reason == TYR_REASON_CELL)
			using->known |= mode * TYR_REMEMBERED_USE;
		return 0;
	}
	using->denied = 1;
	return !!tyr_conclude(work, decision->task, decision->image.header->generation);
}

/* Judges the use of an open file in `mode`. `known` gets what may be remembered of it. */
static __noinline int tyr_judge_use(struct tyr_decision *decision, struct file *file, __u32 mode,
				    __u32 *known)
{
	struct tyr_using using = { .decision = decision, .mode = mode };

	*known = 0;
	switch (tyr_begin_as(decision, decision->task, TYR_ACTION_FILE_READ, TYR_HOOK_FILE_USE,
			     0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (tyr_place_of_file(decision->work, file)) {
		tyr_decide_class(decision, -1);
		return -EPERM;
	}
	if (decision->work->place.outcome == TYR_PATH_PSEUDO)
		return 0;
	if (bpf_loop(2, tyr_use_step, &using, 0) < 0 || using.denied)
		return -EPERM;
	*known = using.known;
	return 0;
}

/* `remembers`: the program may use storage of inodes. */
static __always_inline int tyr_use(struct file *file, __u32 mode, int remembers)
{
	struct tyr_decision decision = {};
	__u32 who, known;

	decision.task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!decision.task)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	if (remembers && tyr_recall(decision.task, file, mode * TYR_REMEMBERED_USE))
		return 0;
	if (tyr_judge_use(&decision, file, mode, &known))
		return -EPERM;
	if (remembers && known)
		tyr_remember(&decision, file, known);
	return 0;
}

/* Every read and write, also of what the kernel moves between files. */
static __always_inline int tyr_judge_permission(struct file *file, __u64 mask, int remembers)
{
	__u32 mode = 0;

	if (mask & MAY_READ)
		mode |= FMODE_READ;
	if (mask & MAY_WRITE)
		mode |= FMODE_WRITE;
	if (!mode || !tyr_is_placed(file))
		return 0;
	return tyr_use(file, mode, remembers);
}

SEC("lsm/file_permission")
int lsm_file_permission(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_permission((void *)ctx[0], ctx[1], 1));
}

SEC("fmod_ret/security_file_permission")
int fmod_file_permission(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_permission((void *)ctx[0], ctx[1], 0));
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

static __always_inline int tyr_judge_map(struct file *file, __u64 protection, __u64 flags,
					 int remembers)
{
	/* Whatever it asks for now, a mapping can be made readable later. */
	__u32 mode = FMODE_READ;

	if (!file)
		return 0;
	if (protection & PROT_EXEC && tyr_judge_mapped_code(file))
		return -EPERM;
	if (!tyr_is_placed(file))
		return 0;
	if (flags & MAP_SHARED && protection & PROT_WRITE)
		mode |= FMODE_WRITE;
	return tyr_use(file, mode, remembers);
}

/* The LSM hook has the protection asked for and the one given, the function only the latter. */
SEC("lsm/mmap_file")
int lsm_mmap_file(unsigned long long *ctx)
{
	__u64 file = 0;

	if (!bpf_get_current_task_btf()->bpf_storage)
		return 0;	/* no identity: see tyr_task_find */
	/*
	 * Memory without a file. Verifiers that take the argument for never null drop a test of it,
	 * and then the kernel would follow a null pointer; what a helper gives keeps its test.
	 */
	if (bpf_get_func_arg(ctx, 0, &file))
		return tyr_answer(-EPERM);
	if (!file)
		return 0;
	return tyr_answer(tyr_judge_map((void *)ctx[0], ctx[1] | ctx[2], ctx[3], 1));
}

SEC("fmod_ret/security_mmap_file")
int fmod_mmap_file(unsigned long long *ctx)
{
	return tyr_answer(tyr_judge_map((void *)ctx[0], ctx[1], ctx[2], 0));
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
	return tyr_use(file, FMODE_WRITE, 0);
}
