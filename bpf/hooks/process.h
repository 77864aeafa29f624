/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who inherits, who ends, and the iterators by which user space sees and tags tasks. */

/*
 * While running agents are tagged: `child` is born of a thread that nobody has tagged yet. When it
 * is seen, its parent may be gone.
 */
static __noinline int tyr_note_birth(struct task_struct *child)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct *ancestor = current;
	struct tyr_birth *mine, *birth;
	struct tyr_config *settings;
	__u32 zero = 0;

	settings = bpf_map_lookup_elem(&config, &zero);
	if (!settings || !settings->settling)
		return 0;
	mine = bpf_task_storage_get(&births, current, 0, 0);
	birth = bpf_task_storage_get(&births, child, mine, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!birth) {
		tyr_count(TYR_COUNT_STORAGE_FAILED);
		return 0;
	}
	if (mine)
		return 0;
	for (int i = 0; i < TYR_BIRTH_DEPTH; i++) {
		birth->origin[i] = BPF_CORE_READ(ancestor, tgid);
		ancestor = BPF_CORE_READ(ancestor, real_parent);
	}
	return 0;
}

/*
 * Every thread, process and io_uring worker is born here, while `current` is its maker. A child
 * that cannot be given its parent's identity is not born.
 */
TYR_HOOK(task_alloc, "task_alloc", "security_task_alloc", struct task_struct *child, __u64 flags)
{
	struct tyr_task *parent;
	__u32 who;

	if (flags & CLONE_INTO_CGROUP && tyr_judge_birthplace())
		return -EPERM;
	parent = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (who == TYR_WHO_NONE || (parent && !(parent->flags & TYR_TASK_AGENT)))
		tyr_note_birth(child);
	if (who == TYR_WHO_NONE)
		return 0;
	if (parent) {
		/* Left by an exec that was recognised and then failed. */
		if (!parent->session && !parent->candidate)
			return 0;
		for (int attempt = 0; attempt < TYR_STORAGE_TRIES; attempt++)
			if (bpf_task_storage_get(&tasks, child, parent,
						 BPF_LOCAL_STORAGE_GET_F_CREATE))
				return 0;
	}
	tyr_count(TYR_COUNT_STORAGE_FAILED);
	return -ENOMEM;
}

SEC("raw_tp/sched_process_exit")
int process_exit(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_session *session;
	struct tyr_scratch *work;
	struct tyr_task *task;
	__u64 number;
	__u32 who;

	task = tyr_task_find(current, &who);
	if (!task || current->signal->live.counter)
		return 0;
	number = tyr_session_of(task, &session);
	if (!number)
		return 0;
	work = tyr_scratch_get();
	if (work)
		tyr_emit_program(&work->process, task, number, TYR_EVENT_PROCESS_EXITED);
	else
		tyr_count(TYR_COUNT_EVENTS_FAILED);
	return 0;
}

SEC("iter/task")
int live_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *thread = ctx->task;
	struct tyr_live live = {};
	struct tyr_task *task;

	if (!thread)
		return 0;
	task = bpf_task_storage_get(&tasks, thread, 0, 0);
	if (!task)
		return 0;
	live.session = task->session;
	live.candidate = task->candidate;
	live.tgid = thread->tgid;
	live.tid = thread->pid;
	live.flags = task->flags;
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}

/* The identity that user space wants for the process that `thread` was born of. */
static __noinline struct tyr_task *tyr_wanted_by_birth(struct task_struct *thread)
{
	struct tyr_task *wanted;
	struct tyr_birth *birth;

	birth = bpf_task_storage_get(&births, thread, 0, 0);
	if (!birth)
		return 0;
	for (int i = 0; i < TYR_BIRTH_DEPTH; i++) {
		wanted = bpf_map_lookup_elem(&tagging, &birth->origin[i]);
		if (wanted)
			return wanted;
	}
	return 0;
}

/* When all are tagged, births mean nothing, and strangers must not carry what agents do. */
static __always_inline void tyr_forget_birth(struct task_struct *thread)
{
	struct tyr_config *settings;
	__u32 zero = 0;

	settings = bpf_map_lookup_elem(&config, &zero);
	if (settings && !settings->settling)
		bpf_task_storage_delete(&births, thread);
}

/* Gives the identities in `tagging` to threads that have none, and writes those it gave. */
SEC("iter/task")
int tag_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *thread = ctx->task;
	struct tyr_task *wanted, *task;
	struct tyr_live live = {};
	__u32 tgid, inherited = 0;

	if (!thread)
		return 0;
	tyr_forget_birth(thread);
	tgid = thread->tgid;
	wanted = bpf_map_lookup_elem(&tagging, &tgid);
	if (!wanted) {
		wanted = tyr_wanted_by_birth(thread);
		inherited = 1;
	}
	if (!wanted)
		return 0;
	task = bpf_task_storage_get(&tasks, thread, 0, 0);
	if (task && task->flags & TYR_TASK_AGENT)
		return 0;
	if (task) {
		/* One candidate is as good as another. */
		if (!(wanted->flags & TYR_TASK_AGENT))
			return 0;
		/* It becomes what user space found it to be. */
		task->session = wanted->session;
		if (wanted->candidate)
			task->candidate = wanted->candidate;
		task->flags |= wanted->flags & (TYR_TASK_AGENT | TYR_TASK_INTERPRETER);
		task->profile_epoch = 0;
	} else {
		task = bpf_task_storage_get(&tasks, thread, wanted, BPF_LOCAL_STORAGE_GET_F_CREATE);
		/* It may run another program by now. */
		if (task && inherited) {
			task->flags |= TYR_TASK_EXE_UNSETTLED;
			task->exe_len = 0;
		}
	}
	if (!task) {
		tyr_count(TYR_COUNT_STORAGE_FAILED);
		return 0;
	}
	live.session = task->session;
	live.tgid = tgid;
	live.tid = thread->pid;
	live.flags = task->flags;
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}
