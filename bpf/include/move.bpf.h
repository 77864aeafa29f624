/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Renames and links: an object may get a new name only where no rule is lost by it.
 *
 * A file loses a rule when an action that is denied under the old name is not denied under the
 * new one. Below a directory there may be anything, so the automaton answers: the automaton is
 * minimal, so both names with a slash behind them lead to the same state exactly when every name
 * below them means the same. A directory of which no rule could deny anything to this session
 * moves freely.
 */
#ifndef TYR_MOVE_BPF_H
#define TYR_MOVE_BPF_H

#include "judge.bpf.h"

/* The state after one more byte; 0 is a fault. */
static __noinline __u32 tyr_state_step(struct tyr_decision *decision, __u32 state, __u32 byte)
{
	struct tyr_image_ref *image = &decision->image;
	struct tyr_page *page;
	__u32 word;

	if (state & TYR_STATE_ABSORBING)
		return state;
	page = tyr_page(image->pages, state >> TYR_STATE_PAGE_SHIFT);
	if (!page)
		return 0;
	word = (state & TYR_STATE_OFFSET_MASK) + 1 + image->header->path_class[byte & 0xff];
	return page->word[word & (TYR_PAGE_WORDS - 1)];
}

struct tyr_looking {
	struct tyr_decision *decision;
	struct tyr_sights *sights;
	__u32 pad;
	__u32 fault;
};

static long tyr_look_step(__u32 index, struct tyr_looking *looking)
{
	struct tyr_decision *decision = looking->decision;
	struct tyr_scratch *work = decision->work;
	struct tyr_sight *sight;
	__u64 action = index;
	__u32 state;
	long class;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;
	sight = &looking->sights->action[action];
	sight->below = 0;
	work->action = action;
	state = tyr_state_before(decision);
	if (!state) {
		class = tyr_unknown_class(decision);
	} else {
		state = tyr_walk_above(&decision->image, state, work->path, work->place.offset,
				       work->place.length);
		class = state ? tyr_label(decision->image.pages, state) : -1;
		sight->below = tyr_state_step(decision, state, '/');
	}
	if (class < 0)
		looking->fault = 1;
	sight->class = class;
	return 0;
}

/* What rules see in a name. A loop by helper: its body is verified once, not for every action. */
static __noinline long tyr_look(struct tyr_decision *decision, struct dentry *dentry,
				struct tyr_sights *sights)
{
	struct tyr_looking looking = { .decision = decision, .sights = sights };

	if (tyr_place_of(decision->work, dentry))
		return -1;
	if (bpf_loop(TYR_ACTION_EXEC + 1, tyr_look_step, &looking, 0) < 0 || looking.fault)
		return -1;
	return 0;
}

struct tyr_any_denied {
	struct tyr_decision *decision;
	__u32 pad;
	__u32 found;		/* 1: some class is denied; 2: fault */
};

static long tyr_any_denied_step(__u32 index, struct tyr_any_denied *search)
{
	struct tyr_decision *decision = search->decision;
	__u64 action = decision->work->action;
	long cell;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC || index >= decision->image.header->class_count[action])
		return 1;
	cell = tyr_judge(decision, index);
	if (cell < 0) {
		search->found = 2;
		return 1;
	}
	if (tyr_cell_denies(cell)) {
		search->found = 1;
		return 1;
	}
	return 0;
}

struct tyr_losing {
	struct tyr_decision *decision;
	__u32 directory;
	__u32 loses;		/* 1: a rule would be lost; 2: fault */
};

static long tyr_losing_step(__u32 index, struct tyr_losing *losing)
{
	struct tyr_decision *decision = losing->decision;
	struct tyr_any_denied search = { .decision = decision };
	struct tyr_scratch *work = decision->work;
	__u64 action = index;
	long was, is;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;
	work->action = action;
	if (losing->directory) {
		if (work->from.action[action].below == work->to.action[action].below &&
		    work->from.action[action].below)
			return 0;
		if (bpf_loop(TYR_PAGE_WORDS, tyr_any_denied_step, &search, 0) < 0)
			losing->loses = 2;
		else if (search.found)
			losing->loses = search.found;
		return 0;
	}
	was = tyr_judge(decision, work->from.action[action].class);
	is = tyr_judge(decision, work->to.action[action].class);
	if (was < 0 || is < 0)
		losing->loses = 2;
	else if (tyr_cell_denies(was) && !tyr_cell_denies(is))
		losing->loses = 1;
	return 0;
}

/* Refuses what loses a rule: `loses` is 0, 1, or 2 for a fault. */
static __always_inline int tyr_conclude_losing(struct tyr_decision *decision, __u32 loses)
{
	struct tyr_scratch *work = decision->work;

	if (!loses)
		return 0;
	work->action = TYR_ACTION_FILE_WRITE;
	if (loses == 2)
		return tyr_decide_class(decision, -1);
	work->cell = TYR_VERDICT_DENY | TYR_CELL_MATCHED;
	work->reason = TYR_REASON_MOVED;
	return tyr_conclude(work, decision->task, decision->image.header->generation);
}

static __noinline int tyr_decide_move(struct dentry *from, struct dentry *to, __u32 hook)
{
	struct tyr_decision decision = {};
	struct tyr_losing losing = { .decision = &decision };
	struct tyr_scratch *work;

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	losing.directory = (BPF_CORE_READ(from, d_inode, i_mode) & S_IFMT) == S_IFDIR;
	if (tyr_look(&decision, to, &work->to) || tyr_look(&decision, from, &work->from) ||
	    bpf_loop(TYR_ACTION_EXEC + 1, tyr_losing_step, &losing, 0) < 0)
		losing.loses = 2;
	return tyr_conclude_losing(&decision, losing.loses);
}

struct tyr_any_action {
	struct tyr_decision *decision;
	__u32 pad;
	__u32 found;
};

static long tyr_any_action_step(__u32 index, struct tyr_any_action *any)
{
	struct tyr_any_denied search = { .decision = any->decision };

	any->decision->work->action = index;
	if (bpf_loop(TYR_PAGE_WORDS, tyr_any_denied_step, &search, 0) < 0)
		search.found = 2;
	if (search.found)
		any->found = search.found;
	return any->found != 0;
}

/* No pattern that is not about every name is about this one. */
#define TYR_NAME_OF_NOTHING 0x01

static long tyr_other_name_step(__u32 index, struct tyr_looking *looking)
{
	struct tyr_sight *sight;
	__u64 action = index;
	__u32 state;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;
	sight = &looking->sights->action[action];
	state = sight->below;
	if (state)
		state = tyr_state_step(looking->decision, state, TYR_NAME_OF_NOTHING);
	if (state)
		state = tyr_state_step(looking->decision, state, TYR_NAME_OF_NOTHING);
	if (state)
		state = tyr_state_step(looking->decision, state, '/');
	sight->below = state;
	return 0;
}

/*
 * A symbolic link gets the name of `dentry`. Whoever goes through it comes to objects that have
 * other paths, so it must not stand where rules say anything else of what is below than they say
 * of what is below any other name in the same directory.
 */
static __noinline int tyr_decide_detour(struct dentry *dentry, __u32 hook)
{
	struct tyr_decision decision = {};
	struct tyr_losing losing = { .decision = &decision, .directory = 1 };
	struct tyr_looking looking = { .decision = &decision };
	struct tyr_scratch *work;

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	looking.sights = &work->from;
	if (tyr_look(&decision, BPF_CORE_READ(dentry, d_parent), &work->from) ||
	    bpf_loop(TYR_ACTION_EXEC + 1, tyr_other_name_step, &looking, 0) < 0 ||
	    tyr_look(&decision, dentry, &work->to) ||
	    bpf_loop(TYR_ACTION_EXEC + 1, tyr_losing_step, &losing, 0) < 0)
		losing.loses = 2;
	return tyr_conclude_losing(&decision, losing.loses);
}

static __always_inline int tyr_is_symlink(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFLNK;
}

/* Something not known gets a name, or loses one: free only where no rule could deny anything. */
static __noinline int tyr_decide_unknown_move(struct dentry *at, __u32 hook)
{
	struct tyr_decision decision = {};
	struct tyr_any_action any = { .decision = &decision };
	struct tyr_scratch *work;

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	if (tyr_place_of(work, at) ||
	    bpf_loop(TYR_ACTION_EXEC + 1, tyr_any_action_step, &any, 0) < 0)
		any.found = 2;
	return tyr_conclude_losing(&decision, any.found);
}

/* A link or rename: both names are written, then nothing may be lost. */
struct tyr_renaming {
	struct dentry *from;
	struct dentry *to;
	__u32 hook;
	__u32 denied;
};

static long tyr_rename_name_step(__u32 index, struct tyr_renaming *renaming)
{
	struct dentry *dentry = index ? renaming->to : renaming->from;

	if (renaming->denied)
		return 1;
	if (tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, renaming->hook))
		renaming->denied = 1;
	return 0;
}

static long tyr_rename_move_step(__u32 index, struct tyr_renaming *renaming)
{
	struct dentry *from = index ? renaming->to : renaming->from;
	struct dentry *to = index ? renaming->from : renaming->to;

	if (renaming->denied)
		return 1;
	if (tyr_decide_move(from, to, renaming->hook))
		renaming->denied = 1;
	return 0;
}

/* `ways` is 2 when the objects may change places. Loops by helper: each body is verified once. */
static __always_inline int tyr_decide_rename(struct dentry *from, struct dentry *to,
					     __u32 hook, __u32 ways)
{
	struct tyr_renaming renaming = { .from = from, .to = to, .hook = hook };

	if (bpf_loop(2, tyr_rename_name_step, &renaming, 0) < 0 || renaming.denied)
		return -EPERM;
	if (bpf_loop(ways, tyr_rename_move_step, &renaming, 0) < 0 || renaming.denied)
		return -EPERM;
	return 0;
}

#endif
