/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Self-protection: what a governed task may do to other processes. */

/* Denies what was aimed at `target`, with its name and one argument in the record. */
static __noinline int tyr_refuse_task(struct tyr_decision *decision, struct task_struct *target,
				      __u32 rule, __u32 argument, __u32 cell)
{
	struct tyr_scratch *work = decision->work;

	work->place.dev = argument;
	work->place.ino = BPF_CORE_READ(target, tgid);
	work->place.offset = 0;
	work->place.length = bpf_probe_read_kernel_str(work->path, TYR_COMM_LEN, target->comm) - 1;
	if (work->place.length >= TYR_COMM_LEN)
		work->place.length = 0;
	return tyr_refuse(decision, rule, cell);
}

/* One act of `enum tyr_own_rule` on another process, and how far it may reach. */
struct tyr_act {
	__u32 hook;
	__u32 rule;
	__u32 reach;
	__u32 argument;
	__u32 cell;
};

static __always_inline int tyr_is_current(struct task_struct *target)
{
	return target->tgid == (int)(bpf_get_current_pid_tgid() >> 32);
}

static __noinline int tyr_judge_act(struct task_struct *target, struct tyr_act *act)
{
	struct tyr_decision decision = {};

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, act->hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (tyr_may_reach(decision.work->number, target, act->reach))
		return 0;
	return tyr_refuse_task(&decision, target, act->rule, act->argument, act->cell);
}

/*
 * Every signal that a process sends; the kernel's own are not asked about. The last argument of
 * the hook, which is only set for completed USB transfers, must not be looked at: verifiers take
 * it for a pointer that is never null, and drop the test.
 */
TYR_HOOK(guard_kill, "task_kill", "security_task_kill", struct task_struct *target, void *info,
	 int signal)
{
	struct tyr_act act = { TYR_HOOK_SIGNAL, TYR_OWN_SIGNAL, TYR_REACH_SIGNAL, signal, 0 };

	/* 0 only asks whether there is such a process. */
	if (!signal || tyr_is_current(target))
		return 0;
	return tyr_judge_act(target, &act);
}

/* Whether a process has made ready for a signal that comes with data, and would not die of it. */
static __always_inline int tyr_expects(struct task_struct *target, __u32 signal)
{
	void *actions = (void *)BPF_CORE_READ(target, sighand) +
			bpf_core_field_offset(struct sighand_struct, action);
	__u64 handler = 0, blocked = 0;
	__u32 index = signal - 1;

	if (signal < SIGRTMIN && signal != SIGIO && signal != SIGURG)
		return 0;
	bpf_probe_read_kernel(&handler, sizeof(handler),
			      actions + index * bpf_core_type_size(struct k_sigaction));
	bpf_core_read(&blocked, sizeof(blocked), &target->blocked);
	return handler || blocked >> (index & 63) & 1;
}

/*
 * Signals that come with data on a descriptor. None of Tyr's processes asks for them, whoever
 * made that happen. Whoever else is not ready for one did not ask for it either; who did cannot be
 * told, so it is judged as if the task did that made the data come.
 */
TYR_HOOK(guard_sigio, "file_send_sigiotask", "security_file_send_sigiotask",
	 struct task_struct *target, void *owner, int signal)
{
	struct tyr_act act = { TYR_HOOK_SIGNAL, TYR_OWN_SIGNAL, TYR_REACH_SIGNAL,
			       signal ? signal : SIGIO, 0 };

	if (tyr_is_own(target)) {
		tyr_judge_act(target, &act);
		return -EPERM;
	}
	if (tyr_is_current(target) || tyr_expects(target, act.argument))
		return 0;
	return tyr_judge_act(target, &act);
}

/*
 * ATTACH is what ptrace, process_vm_writev, /proc/PID/mem and pidfd_getfd need; READ is looking
 * at maps, environment and descriptors.
 */
TYR_HOOK(guard_ptrace, "ptrace_access_check", "security_ptrace_access_check",
	 struct task_struct *target, unsigned int mode)
{
	struct tyr_act act = { .hook = TYR_HOOK_PTRACE, .rule = TYR_OWN_TRACE };

	act.reach = mode & PTRACE_MODE_ATTACH ? TYR_REACH_INJECT : TYR_REACH_LOOK;
	act.argument = mode;
	act.cell = mode & PTRACE_MODE_NOAUDIT ? TYR_CELL_SILENT : 0;
	return tyr_judge_act(target, &act);
}

/* A process asks its parent to trace it: a governed parent may trace what it could attach to. */
TYR_HOOK(guard_traceme, "ptrace_traceme", "security_ptrace_traceme", struct task_struct *parent)
{
	struct tyr_task *tracer, *task;
	__u64 number, mine = 0;
	__u32 who;

	tracer = tyr_task_find(parent, &who);
	if (!tracer)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	number = tyr_session_seen(tracer);
	if (!number)
		return 0;
	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (task)
		mine = tyr_session_seen(task);
	if (tyr_session_is_within(mine, number))
		return 0;
	tyr_count(TYR_COUNT_SELF_DENIED);
	return -EPERM;
}

/*
 * A child born in a control group of its maker's choice: no file is opened that would be judged,
 * and the guard of control groups goes by the one that a task is in. Whoever is refused moves the
 * child later, which is judged.
 */
static __noinline int tyr_judge_birthplace(void)
{
	struct tyr_decision decision = {};

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, TYR_HOOK_TASK_SETTING, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	return tyr_refuse_task(&decision, bpf_get_current_task_btf(), TYR_OWN_SETTING,
			       TYR_OWN_SETTING_CGROUP, 0);
}

static __always_inline int tyr_judge_setting(struct task_struct *target, __u32 setting)
{
	struct tyr_act act = { TYR_HOOK_TASK_SETTING, TYR_OWN_SETTING, TYR_REACH_SIGNAL, setting,
			       0 };

	if (tyr_is_current(target))
		return 0;
	return tyr_judge_act(target, &act);
}

TYR_HOOK(guard_limit, "task_setrlimit", "security_task_setrlimit", struct task_struct *target)
{
	return tyr_judge_setting(target, TYR_OWN_SETTING_LIMIT);
}

TYR_HOOK(guard_scheduler, "task_setscheduler", "security_task_setscheduler",
	 struct task_struct *target)
{
	return tyr_judge_setting(target, TYR_OWN_SETTING_SCHEDULER);
}

TYR_HOOK(guard_nice, "task_setnice", "security_task_setnice", struct task_struct *target)
{
	return tyr_judge_setting(target, TYR_OWN_SETTING_NICE);
}

TYR_HOOK(guard_io_priority, "task_setioprio", "security_task_setioprio",
	 struct task_struct *target)
{
	return tyr_judge_setting(target, TYR_OWN_SETTING_IO_PRIORITY);
}

TYR_HOOK(guard_movememory, "task_movememory", "security_task_movememory",
	 struct task_struct *target)
{
	return tyr_judge_setting(target, TYR_OWN_SETTING_MEMORY_NODE);
}
