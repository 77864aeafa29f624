/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a session and an object to 0 or -EPERM. */
#ifndef TYR_JUDGE_BPF_H
#define TYR_JUDGE_BPF_H

#include "emit.bpf.h"
#include "guard.bpf.h"
#include "private.bpf.h"

/* Whether a cell stops the operation. */
static __always_inline int tyr_cell_denies(__u32 cell)
{
	return (cell & (TYR_CELL_VERDICT_MASK | TYR_CELL_MONITORED)) == TYR_VERDICT_DENY;
}

/* Of two verdicts the stricter holds; of equal ones, the one that is enforced. */
static __always_inline __u32 tyr_cell_rank(__u32 cell)
{
	return (cell & TYR_CELL_VERDICT_MASK) * 2 + !(cell & TYR_CELL_MONITORED);
}

/*
 * The class of the task's executable in this image. It is kept with the task until the next
 * image; only the task itself writes it.
 */
static __always_inline long tyr_exe_class(struct tyr_image_ref *image, struct tyr_task *task,
					  __u32 *class)
{
	__u32 generation = image->header->generation, start;
	long found;

	if (task->generation == generation) {
		*class = task->exe_class;
		return 0;
	}
	found = image->header->unknown_exe_class;
	if (!(task->flags & (TYR_TASK_EXE_TOO_LONG | TYR_TASK_EXE_UNSETTLED)) && task->exe_len) {
		start = tyr_superblock_start(image->header, task->exe_dev, TYR_PATH_BINARY);
		if (start)
			found = tyr_walk_exe(image, start, task->exe, task->exe_len);
		if (found < 0)
			return -1;
	}
	task->exe_class = found;
	task->generation = generation;
	*class = found;
	return 0;
}

/*
 * Works out the profile of work->number, whose entry is `session` if it has one, and keeps it with
 * the task. Number 0 is an interpreter that no session governs.
 */
static __noinline int tyr_profile_settle(struct tyr_decision *decision, struct tyr_session *session,
					 __u64 epoch)
{
	struct tyr_image_ref *image = &decision->image;
	__u32 exe_class, generation = image->header->generation;
	struct tyr_scratch *work = decision->work;
	struct tyr_task *task = decision->task;
	__u32 slot = image->header->unknown_slot;

	task->profile_epoch = 0;
	work->profiles = TYR_PROFILE_FAULT;
	if (tyr_exe_class(image, task, &exe_class))
		return 0;
	work->exe_class = exe_class;
	work->profiles = TYR_PROFILE_ONE;
	if (session) {
		__u32 count = session->type_count;

		if (session->refined[0].generation == generation)
			slot = session->refined[0].slot;
		else if (session->refined[1].generation == generation)
			slot = session->refined[1].slot;
		else if (count == 1)
			slot = image->header->type_slot[session->type[0] & (TYR_AGENT_TYPES_MAX - 1)];
		else if (count)
			work->profiles = TYR_PROFILE_SEVERAL;
	}
	work->profile = work->number ? tyr_profile(image, slot, exe_class) : TYR_PROFILE_NONE;
	/* Nothing tells when a session that had no room gets an entry: it is looked for every time. */
	if (work->profiles == TYR_PROFILE_ONE && (session || !work->number)) {
		task->profile = work->profile;
		task->agent_type = tyr_innermost_type(session);
		task->profile_epoch = epoch;
	}
	return 0;
}

/* The strictest cell over the types of a session whose slot user space has not written yet. */
static __always_inline long tyr_judge_types(struct tyr_decision *decision, __u32 class)
{
	struct tyr_image_ref *image = &decision->image;
	struct tyr_scratch *work = decision->work;
	struct tyr_session *session;
	__u64 number = work->number;
	long cell = -1;

	session = bpf_map_lookup_elem(&sessions, &number);
	if (!session)
		return -1;
#pragma clang loop unroll(disable)
	for (int i = 0; i < TYR_SESSION_TYPES_MAX; i++) {
		__u32 slot = image->header->type_slot[session->type[i] & (TYR_AGENT_TYPES_MAX - 1)];
		long found;

		if (i >= session->type_count)
			break;
		found = tyr_cell(image, tyr_profile(image, slot, work->exe_class), work->action,
				 class);
		if (found < 0)
			return -1;
		if (!i || tyr_cell_rank(found) > tyr_cell_rank(cell))
			cell = found;
	}
	return cell;
}

/* The cell of one class for the session, the strictest over the slots that hold for it, or -1. */
static __noinline long tyr_judge(struct tyr_decision *decision, __u32 class)
{
	struct tyr_scratch *work = decision->work;

	if (work->profiles == TYR_PROFILE_ONE)
		return tyr_cell(&decision->image, work->profile, work->action, class);
	if (work->profiles == TYR_PROFILE_SEVERAL)
		return tyr_judge_types(decision, class);
	return -1;
}

/*
 * The state of the path automaton before work->place, for work->action. 0 where the class is
 * tyr_unknown_class; work->reason says why.
 */
static __noinline __u32 tyr_state_before(struct tyr_decision *decision)
{
	struct tyr_scratch *work = decision->work;
	__u32 start;

	if (work->place.outcome == TYR_PATH_LONG) {
		work->reason = TYR_REASON_TOO_LONG;
		tyr_count(TYR_COUNT_PATH_TOO_LONG);
		return 0;
	}
	start = tyr_place_start(&decision->image, work, work->action);
	if (!start) {
		work->reason = TYR_REASON_UNSETTLED;
		tyr_count(TYR_COUNT_PATH_UNSETTLED);
		return 0;
	}
	work->reason = TYR_REASON_CELL;
	return start;
}

/* The class of paths that are not known, for work->action; -1 for an action without paths. */
static __always_inline long tyr_unknown_class(struct tyr_decision *decision)
{
	__u64 action = decision->work->action;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return -1;
	return decision->image.header->unknown_class[action];
}

/*
 * The class that the path automaton gives work->place, or the unknown class of the action;
 * work->reason says which. Negative when the image is faulty. With `split` the state before the
 * last name is kept: work->place.above.
 */
static __noinline long tyr_classify(struct tyr_decision *decision, int split)
{
	struct tyr_image_ref *image = &decision->image;
	struct tyr_scratch *work = decision->work;
	struct tyr_place *place = &work->place;
	__u32 start = tyr_state_before(decision);

	if (!start)
		return tyr_unknown_class(decision);
	if (!split || !place->leaf || place->leaf > place->length)
		return tyr_walk_path(image, start, work->path, place->offset, place->length);
	place->above = tyr_walk_above(image, start, work->path, place->offset,
				      place->length - place->leaf);
	return tyr_walk_path(image, place->above, work->path, TYR_PATH_MAX - place->leaf,
			     place->leaf);
}

/* Counts, reports and returns 0 or -EPERM. */
static __always_inline int tyr_conclude(struct tyr_scratch *work, struct tyr_task *task,
					__u32 generation)
{
	int denied = tyr_cell_denies(work->cell);

	tyr_count(TYR_COUNT_DECISIONS);
	if (denied)
		tyr_count(TYR_COUNT_DENIED);
	if (!(work->cell & TYR_CELL_SILENT))
		tyr_emit_operation(work, task, generation);
	return denied ? -EPERM : 0;
}

/* Denies by `rule` (enum tyr_own_rule), whatever the policy says. `cell` may add TYR_CELL_SILENT. */
static __noinline int tyr_refuse(struct tyr_decision *decision, __u32 rule, __u32 cell)
{
	struct tyr_scratch *work = decision->work;

	work->cell = TYR_VERDICT_DENY | TYR_CELL_MATCHED | cell;
	work->reason = TYR_REASON_SELF;
	work->own_rule = rule;
	tyr_count(TYR_COUNT_SELF_DENIED);
	return tyr_conclude(work, decision->task, decision->image.header->generation);
}

/* A verdict that could not be had is a denial. */
static __always_inline void tyr_fault(struct tyr_scratch *work)
{
	work->cell = TYR_VERDICT_DENY | TYR_CELL_MATCHED;
	work->reason = TYR_REASON_FAULT;
	tyr_count(TYR_COUNT_FAULTS);
}

/* The verdict about a class; a negative class or a missing cell is a fault. */
static __noinline int tyr_decide_class(struct tyr_decision *decision, long class)
{
	struct tyr_scratch *work = decision->work;
	long cell = -1;

	if (class >= 0)
		cell = tyr_judge(decision, class);
	work->cell = cell;
	if (cell < 0)
		tyr_fault(work);
	return tyr_conclude(work, decision->task, decision->image.header->generation);
}

/* In links.bpf.h. */
static int tyr_judge_linked(struct tyr_decision *decision);

/*
 * work->cell and work->reason about work->place. A negative class or a missing cell is a fault,
 * which denies.
 */
static __always_inline void tyr_judge_place(struct tyr_decision *decision, int split)
{
	struct tyr_scratch *work = decision->work;
	long class = tyr_classify(decision, split), cell = -1;

	if (class >= 0)
		cell = tyr_judge(decision, class);
	work->cell = cell;
	if (cell >= 0 && work->place.names > 1 && tyr_judge_linked(decision))
		cell = -1;
	if (cell < 0)
		tyr_fault(work);
}

/* The verdict about work->place. */
static __always_inline int tyr_decide_place(struct tyr_decision *decision)
{
	tyr_judge_place(decision, 0);
	return tyr_conclude(decision->work, decision->task, decision->image.header->generation);
}

enum tyr_begin_result {
	TYR_BEGIN_FREE = 0,	/* nothing to decide */
	TYR_BEGIN_DECIDE = 1,
	TYR_BEGIN_DENY = 2,
};

/*
 * Whether what the task keeps of its session and executable holds: its profile, in the image of
 * task->generation. `epoch` must have been read before the image that is decided by.
 */
static __always_inline int tyr_profile_is_kept(struct tyr_task *task, __u64 epoch)
{
	return epoch && task->profile_epoch == epoch;
}

/*
 * The image, where what is kept with the task holds for it; false otherwise. What is found so needs
 * none of the work space that a record does. The image was made for these programs, or nothing of it
 * would have been kept.
 */
static __always_inline int tyr_image_of_kept(struct tyr_image_ref *image, struct tyr_task *task)
{
	__u64 epoch = tyr_session_epoch();

	return tyr_profile_is_kept(task, epoch) && !tyr_image_take(image) &&
	       task->generation == image->header->generation;
}

/* Whether connections of that class pass and leave no event, by an image that tyr_image_of_kept has. */
static __always_inline int tyr_connects_silently(struct tyr_image_ref *image, struct tyr_task *task,
						 long class)
{
	long cell;

	if (class < 0)
		return 0;
	cell = tyr_cell_of(image, task->profile, TYR_ACTION_NET_CONNECT, class);
	if (cell < 0 || !(cell & TYR_CELL_SILENT) || tyr_cell_denies(cell))
		return 0;
	tyr_count(TYR_COUNT_DECISIONS);
	return 1;
}

/* tyr_begin for a task that was found already. */
static __noinline int tyr_begin_as(struct tyr_decision *decision, struct tyr_task *task,
				   __u32 action, __u32 hook, int candidates)
{
	__u64 number, epoch = tyr_session_epoch();
	struct tyr_session *session = 0;
	struct tyr_scratch *work;
	long error;
	int kept;

	decision->task = task;
	error = tyr_image_open(&decision->image);
	if (error == TYR_IMAGE_NONE)
		return TYR_BEGIN_FREE;
	kept = !error && tyr_profile_is_kept(task, epoch) &&
	       task->generation == decision->image.header->generation;
	if (kept)
		number = task->profile == TYR_PROFILE_NONE ? 0 : task->session;
	else
		number = tyr_session_of(task, &session);
	if (!number && !(candidates && task->flags & TYR_TASK_INTERPRETER))
		return TYR_BEGIN_FREE;
	work = tyr_scratch_get();
	if (!work || error) {
		tyr_count(TYR_COUNT_FAULTS);
		return number ? TYR_BEGIN_DENY : TYR_BEGIN_FREE;
	}
	decision->work = work;
	work->number = number;
	work->action = action;
	work->hook = hook;
	work->reason = TYR_REASON_CELL;
	work->place = (struct tyr_place){ .outcome = TYR_PATH_LOST };
	work->endpoint = (struct tyr_endpoint){};
	work->profile = task->profile;
	work->profiles = TYR_PROFILE_ONE;
	if (!kept)
		tyr_profile_settle(decision, session, epoch);
	return TYR_BEGIN_DECIDE;
}

/*
 * Finds who acts and the image in force. The first thing every deciding hook does. With
 * `candidates`, an interpreter that is not yet governed is to be decided too; its work->number
 * is 0.
 */
static __always_inline int tyr_begin(struct tyr_decision *decision, __u32 action, __u32 hook,
				int candidates)
{
	struct tyr_task *task;
	__u32 who;

	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (who == TYR_WHO_FAULT)
		return TYR_BEGIN_DENY;
	if (!task)
		return TYR_BEGIN_FREE;
	return tyr_begin_as(decision, task, action, hook, candidates);
}

/* tyr_begin, and where `dentry` is: the first thing of a hook about a name. */
static __always_inline int tyr_begin_at(struct tyr_decision *decision, struct dentry *dentry,
					__u32 action, __u32 hook)
{
	int begun = tyr_begin(decision, action, hook, 0);

	if (begun == TYR_BEGIN_DECIDE && tyr_place_of(decision->work, dentry)) {
		tyr_decide_class(decision, -1);
		return TYR_BEGIN_DENY;
	}
	return begun;
}

/* The whole of a hook about one name. */
static __noinline int tyr_decide_dentry(struct dentry *dentry, __u32 action, __u32 hook)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct tyr_decision decision = {};
	struct tyr_scratch *work;
	__u32 rule;

	switch (tyr_begin_at(&decision, dentry, action, hook)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	work->kind = tyr_guard_kind(inode ? BPF_CORE_READ(inode, i_mode) : 0,
				    inode ? BPF_CORE_READ(inode, i_rdev) : 0,
				    BPF_CORE_READ(dentry, d_sb, s_magic));
	if (work->kind && hook != TYR_HOOK_UNIX_CONNECT) {
		rule = tyr_guard_place(work, dentry, inode, work->kind, 1);
		if (rule)
			return tyr_refuse(&decision, rule, 0);
	}
	if (decision.work->place.outcome == TYR_PATH_PSEUDO)
		return 0;
	return tyr_decide_place(&decision);
}

/* For what is no operation of its own: reported only when it is denied. */
static __noinline int tyr_decide_quietly(struct dentry *dentry, __u32 action, __u32 hook)
{
	struct tyr_decision decision = {};

	switch (tyr_begin_at(&decision, dentry, action, hook)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (decision.work->place.outcome == TYR_PATH_PSEUDO)
		return 0;
	tyr_judge_place(&decision, 0);
	if (!tyr_cell_denies(decision.work->cell))
		return 0;
	return tyr_conclude(decision.work, decision.task, decision.image.header->generation);
}

#endif
