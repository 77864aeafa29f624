/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs: which agent they are, and whether they may run.
 *
 * bprm_check_security runs for every stage of a #! chain before anything is changed, so a refused
 * exec leaves the caller as it was. What it saw waits in the thread's work space until
 * bprm_committed_creds, when the exec can no longer fail.
 */

static const __u8 tyr_memfd_path[] = { '/', 'm', 'e', 'm', 'f', 'd', ':' };

static __always_inline int tyr_is_loader(struct dentry *dentry)
{
	const unsigned char *name = dentry->d_name.name;
	char start[4] = {};

	bpf_probe_read_kernel(start, sizeof(start), name);
	return start[0] == 'l' && start[1] == 'd' &&
	       (start[2] == '-' || start[2] == '.' || start[2] == '6');
}

/* Keeps what work->place says. */
TYR_GLOBAL int tyr_seen_fill(struct tyr_seen *seen, struct tyr_scratch *work)
{
	struct tyr_place *place;
	__u32 length;

	if (!seen || !work)
		return 0;
	place = &work->place;
	length = place->length;
	seen->dev = place->dev;
	seen->ino = place->ino;
	seen->length = 0;
	seen->flags = 0;
	if (place->outcome == TYR_PATH_LONG || length > TYR_EXE_MAX) {
		seen->flags = TYR_TASK_EXE_TOO_LONG;
		return 0;
	}
	if (place->outcome != TYR_PATH_SETTLED)
		seen->flags = TYR_TASK_EXE_UNSETTLED;
	if (length && !bpf_probe_read_kernel(seen->path, length,
					     work->path + (place->offset & (TYR_PATH_MAX - 1))))
		seen->length = length;
	return 0;
}

/* The label of work->place for one kind of question; 0 when it is not settled. */
static __noinline __u32 tyr_signature(struct tyr_decision *decision, __u32 kind)
{
	struct tyr_place *place = &decision->work->place;
	__u32 start;
	long label;

	if (place->outcome != TYR_PATH_SETTLED)
		return 0;
	start = tyr_superblock_start(decision->image.header, place->dev, kind);
	if (!start)
		return 0;
	label = tyr_walk_path(&decision->image, start, decision->work->path, place->offset,
			      place->length);
	return label < 0 ? 0 : label;
}

/*
 * A program without a name on any file system: memfd, unlinked file. It stands for the resource
 * `/memfd:`, which no pattern but a general one matches and no agent can choose a name for.
 */
static __noinline int tyr_decide_memfd(struct tyr_decision *decision)
{
	struct tyr_image_ref *image = &decision->image;
	struct tyr_scratch *work = decision->work;

	work->place.length = sizeof(tyr_memfd_path);
	work->place.offset = TYR_PATH_MAX - sizeof(tyr_memfd_path);
	work->place.dev = 0;
	__builtin_memcpy(work->path + TYR_PATH_MAX - sizeof(tyr_memfd_path), tyr_memfd_path,
			 sizeof(tyr_memfd_path));
	work->reason = TYR_REASON_CELL;
	return tyr_decide_class(decision,
				tyr_walk_path(image, image->header->path_start[TYR_PATH_EXEC],
					      work->path, work->place.offset, work->place.length));
}

/* Remembers what this stage shows. Returns 0 or -ENOMEM. */
static __noinline int tyr_recognise(struct tyr_decision *decision)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_scratch *work = decision->work;
	__u32 type;

	work->label = tyr_signature(decision, TYR_PATH_SIGNATURE_EXE);
	type = tyr_signature(decision, TYR_PATH_SIGNATURE_OPEN) & TYR_SIGNATURE_TYPE_MASK;
	if (type && !work->type) {
		work->type = type;
		tyr_seen_fill(&work->evidence, work);
	}
	if (!work->label && !work->type)
		return 0;
	/* Made now, while the exec can still be refused. */
	for (int attempt = 0; attempt < TYR_STORAGE_TRIES; attempt++)
		if (bpf_task_storage_get(&tasks, current, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
			return 0;
	tyr_count(TYR_COUNT_STORAGE_FAILED);
	return -ENOMEM;
}

/* Without an image nothing is known of the program that comes. */
static __always_inline void tyr_forget_program(void)
{
	struct tyr_scratch *work;

	work = bpf_task_storage_get(&scratch, bpf_get_current_task_btf(), 0, 0);
	if (!work)
		return;
	work->label = 0;
	work->type = 0;
	work->program.length = 0;
	work->program.flags = TYR_TASK_EXE_UNSETTLED;
}

/*
 * Work space for a program that a process outside any agent starts. A process that cannot have
 * it goes on unseen: no agent is worth the host's memory.
 */
static __always_inline int tyr_begin_stranger(struct tyr_decision *decision)
{
	if (tyr_image_open(&decision->image)) {
		tyr_forget_program();
		return 0;
	}
	decision->work = tyr_scratch_get();
	if (!decision->work) {
		tyr_count(TYR_COUNT_STORAGE_FAILED);
		return 0;
	}
	decision->work->number = 0;
	return 1;
}

TYR_HOOK(bprm_check, "bprm_check_security", "security_bprm_check", struct linux_binprm *bprm)
{
	struct tyr_decision decision = {};
	struct file *file = bprm->file;
	struct tyr_scratch *work;

	switch (tyr_begin(&decision, TYR_ACTION_EXEC, TYR_HOOK_BPRM_CHECK, 0)) {
	case TYR_BEGIN_DENY:
		return -EPERM;
	case TYR_BEGIN_FREE:
		if (!tyr_begin_stranger(&decision))
			return 0;
	}
	work = decision.work;
	if (bprm->interp == bprm->filename)
		work->type = 0;		/* first stage of the chain */
	work->label = 0;
	work->checked = 1;
	work->interpreted = 0;
	if (tyr_place_of_file(work, file))
		return -ENOMEM;
	if (!file->f_inode->__i_nlink)
		work->place.outcome = TYR_PATH_PSEUDO;
	tyr_seen_fill(&work->program, work);
	if (tyr_is_loader(file->f_path.dentry))
		work->program.flags |= TYR_TASK_LOADER;
	if (tyr_recognise(&decision))
		return -ENOMEM;
	/*
	 * Asked of memory, not of a variable: the verifier of 6.1 took one that was known at this
	 * place on one way for known on all, and left out what follows.
	 */
	if (!decision.task || !work->number)
		return 0;
	if (work->place.outcome == TYR_PATH_PSEUDO)
		return tyr_decide_memfd(&decision);
	return tyr_decide_place(&decision);
}

/*
 * What an exec opens after its check: the interpreter that an executable names, which runs without
 * a check of its own. Loaders are no programs that anybody lists; anything else there is judged as
 * if it were executed.
 */
static __noinline int tyr_judge_interpreter(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct tyr_scratch *work;

	work = bpf_task_storage_get(&scratch, bpf_get_current_task_btf(), 0, 0);
	if (!work || !work->checked)
		return 0;
	work->interpreted = 1;
	if (tyr_is_loader(dentry))
		return 0;
	return tyr_decide_quietly(dentry, TYR_ACTION_EXEC, TYR_HOOK_INTERPRETER);
}

/* The agent type that a finished exec stands for, 0 for none. */
static __always_inline __u32 tyr_exec_type(struct tyr_scratch *work)
{
	__u32 type = work->label & TYR_SIGNATURE_TYPE_MASK;

	return type ? type : work->type;
}

/* Moves a task into a new session of `type` inside the one that governs it. */
static __noinline __u64 tyr_enter(struct tyr_scratch *work, struct tyr_task *task, __u64 number,
				  __u32 type, struct tyr_seen *evidence)
{
	__u64 around = task->flags & TYR_TASK_AGENT ? task->session : 0;
	int made;

	if (!number)
		number = tyr_session_number();
	if (!number)
		return 0;
	made = tyr_session_make(number, around, type);
	task->session = number;
	task->candidate = 0;
	task->flags |= TYR_TASK_AGENT;
	task->profile_epoch = 0;
	if (made > 0) {
		work->process.dev = evidence->dev;
		work->process.ino = evidence->ino;
		work->process.path_len = evidence->length;
		tyr_emit_process(&work->process, task, number, TYR_EVENT_AGENT_STARTED,
				 (void *)evidence->path);
	}
	return number;
}

static __always_inline void tyr_exec_commit(struct tyr_task *task, struct tyr_scratch *work)
{
	struct tyr_session *session;
	__u64 number = tyr_session_of(task, &session);
	int interpreter = work->label & TYR_SIGNATURE_INTERPRETER && tyr_in_scope();
	__u32 type = tyr_exec_type(work);

	task->exec_boot_ns = bpf_ktime_get_boot_ns();
	task->flags = (task->flags & TYR_TASK_AGENT) | work->program.flags;
	/* A program that the kernel gave no loader may be one itself, whatever its name is. */
	if (!work->interpreted)
		task->flags |= TYR_TASK_LOADER;
	task->generation = 0;
	task->profile_epoch = 0;
	task->exe_dev = work->program.dev;
	task->exe_ino = work->program.ino;
	task->exe_len = work->program.length;
	__builtin_memcpy(task->exe, work->program.path, sizeof(task->exe));
	if (type && !(session && tyr_session_has(session, type)) && tyr_in_scope()) {
		struct tyr_seen *evidence = &work->program;

		if (!(work->label & TYR_SIGNATURE_TYPE_MASK))
			evidence = &work->evidence;
		number = tyr_enter(work, task, 0, type, evidence);
	}
	if (interpreter) {
		/* Inside an interpreter that may still become an agent, that one is around it. */
		if (!number && task->candidate)
			task->session = task->candidate;
		task->candidate = tyr_session_number();
		task->flags |= TYR_TASK_INTERPRETER;
	}
	if (number)
		tyr_emit_program(&work->process, task, number, TYR_EVENT_PROCESS_EXECED);
}

TYR_HOOK_VOID(bprm_committed, "bprm_committed_creds", "security_bprm_committed_creds",
	      struct linux_binprm *bprm)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_scratch *work;
	struct tyr_task *task;
	__u32 who;

	task = tyr_task_find(current, &who);
	if (who == TYR_WHO_FAULT) {
		bpf_send_signal(9);
		return 0;
	}
	work = bpf_task_storage_get(&scratch, current, 0, 0);
	if (task && !work) {
		/* No image when it was checked: the path is not known. */
		task->exec_boot_ns = bpf_ktime_get_boot_ns();
		task->flags = (task->flags & TYR_TASK_AGENT) | TYR_TASK_EXE_UNSETTLED;
		task->generation = 0;
		task->profile_epoch = 0;
		task->exe_len = 0;
		return 0;
	}
	if (!work)
		return 0;
	work->checked = 0;
	if (task)
		tyr_exec_commit(task, work);
	if (!task || (!task->session && !task->candidate)) {
		bpf_task_storage_delete(&tasks, current);
		bpf_task_storage_delete(&scratch, current);
	}
	return 0;
}
