/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who inherits, who ends, and the iterators by which user space sees and tags tasks. */

/*
 * Every thread, process and io_uring worker is born here, while `current` is its maker. A child
 * that cannot be given its parent's identity is not born.
 */
TYR_HOOK(task_alloc, "task_alloc", "security_task_alloc", struct task_struct *child)
{
	struct tyr_task *parent;
	__u32 who;

	parent = tyr_task_find(bpf_get_current_task_btf(), &who);
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
	if (!task || BPF_CORE_READ(current, signal, live.counter))
		return 0;
	number = tyr_session_of(task, &session);
	if (!number)
		return 0;
	work = tyr_scratch_get();
	if (work)
		tyr_emit_program(&work->process, task, number, TYR_EVENT_PROCESS_EXITED);
	else
		tyr_count(TYR_COUNT_EVENTS_LOST);
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
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}

/* Gives the identities in `tagging` to threads that have none, and writes those it gave. */
SEC("iter/task")
int tag_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *thread = ctx->task;
	struct tyr_task *wanted, *task;
	struct tyr_live live = {};
	__u32 tgid;

	if (!thread)
		return 0;
	tgid = thread->tgid;
	wanted = bpf_map_lookup_elem(&tagging, &tgid);
	if (!wanted)
		return 0;
	task = bpf_task_storage_get(&tasks, thread, 0, 0);
	if (task && task->flags & TYR_TASK_AGENT)
		return 0;
	if (task) {
		/* A candidate becomes what user space found it to be. */
		task->session = wanted->session;
		task->candidate = 0;
		task->flags |= TYR_TASK_AGENT;
		task->profile_epoch = 0;
	} else {
		task = bpf_task_storage_get(&tasks, thread, wanted, BPF_LOCAL_STORAGE_GET_F_CREATE);
	}
	if (!task) {
		tyr_count(TYR_COUNT_STORAGE_FAILED);
		return 0;
	}
	live.session = task->session;
	live.tgid = tgid;
	live.tid = thread->pid;
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}
