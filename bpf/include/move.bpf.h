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

/* What rules see in a name, for one action. */
struct tyr_sight {
	long class;
	__u32 below;		/* automaton state of the names below; 0: not settled */
};

struct tyr_sights {
	struct tyr_sight action[TYR_ACTION_EXEC + 1];
};

/* The state after the path and a slash. */
static __always_inline long tyr_state_below(struct tyr_image_ref *image, __u32 start,
					    struct tyr_scratch *work, struct tyr_place *place,
				       __u32 *state)
{
	struct tyr_walk walk = {
		.pages = image->pages,
		.class_of = image->header->path_class,
		.buffer = work->path,
		.at = place->offset,
		.end = place->offset + place->length,
		.state = start,
	};
	struct tyr_page *page;
	__u32 word;

	if (walk.end > TYR_PATH_MAX)
		return -1;
	if (bpf_loop(TYR_PATH_MAX, tyr_walk_path_run, &walk, 0) < 0 || walk.fault)
		return -1;
	*state = walk.state;
	if (walk.state & TYR_STATE_ABSORBING)
		return 0;
	page = tyr_page(walk.pages, walk.state >> TYR_STATE_PAGE_SHIFT);
	if (!page)
		return -1;
	word = (walk.state & TYR_STATE_OFFSET_MASK) + 1 + image->header->path_class['/'];
	*state = page->word[word & (TYR_PAGE_WORDS - 1)];
	return 0;
}

struct tyr_looking {
	struct tyr_decision *decision;
	struct tyr_scratch *work;
	struct tyr_place *place;
	struct tyr_sights *sights;
	__u32 pad;
	__u32 fault;
};

static long tyr_look_step(__u32 index, struct tyr_looking *looking)
{
	struct tyr_decision *decision = looking->decision;
	struct tyr_place *place = looking->place;
	__u64 action = index;
	struct tyr_sight *sight;
	__u32 start;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;
	sight = &looking->sights->action[action];
	decision->action = action;
	sight->class = tyr_classify(decision, looking->work, place);
	sight->below = 0;
	if (sight->class < 0)
		looking->fault = 1;
	if (decision->reason != TYR_REASON_CELL)
		return 0;
	start = tyr_superblock_start(&decision->image, place->dev, action);
	if (!start || tyr_state_below(&decision->image, start, looking->work, place, &sight->below))
		looking->fault = 1;
	return 0;
}

/* A loop by helper: its body is verified once, not once for every action. */
static __noinline long tyr_look(struct tyr_decision *decision, struct tyr_scratch *work,
				struct dentry *dentry, struct tyr_sights *sights)
{
	struct tyr_place place = {};
	struct tyr_looking looking = {
		.decision = decision,
		.work = work,
		.place = &place,
		.sights = sights,
	};

	if (!work || tyr_place_of(work, dentry, &place))
		return -1;
	if (bpf_loop(TYR_ACTION_EXEC + 1, tyr_look_step, &looking, 0) < 0 || looking.fault)
		return -1;
	return 0;
}

struct tyr_any_denied {
	struct tyr_decision *decision;
	__u32 class;
	__u32 found;		/* 1: some class is denied; 2: fault */
};

static long tyr_any_denied_step(__u32 index, struct tyr_any_denied *search)
{
	struct tyr_decision *decision = search->decision;
	__u64 action = decision->action;
	long cell;

	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;

	if (index >= decision->image.header->class_count[action])
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

/* Returns 1 when the move would lose a rule, 0 when not, -1 for a fault. */
static __noinline int tyr_move_loses(struct tyr_decision *decision, struct tyr_sights *from,
				     struct tyr_sights *to, int directory)
{
	long was, is;

#pragma clang loop unroll(disable)
	for (__u32 action = 0; action <= TYR_ACTION_EXEC; action++) {
		decision->action = action;
		if (directory) {
			struct tyr_any_denied search = { .decision = decision };

			if (from->action[action].below == to->action[action].below &&
			    from->action[action].below)
				continue;
			if (bpf_loop(TYR_PAGE_WORDS, tyr_any_denied_step, &search, 0) < 0 ||
			    search.found == 2)
				return -1;
			if (search.found)
				return 1;
			continue;
		}
		was = tyr_judge(decision, from->action[action].class);
		is = tyr_judge(decision, to->action[action].class);
		if (was < 0 || is < 0)
			return -1;
		if (tyr_cell_denies(was) && !tyr_cell_denies(is))
			return 1;
	}
	return 0;
}

static __noinline int tyr_move_verdict(struct tyr_decision *decision, struct tyr_scratch *work,
				       struct dentry *from_dentry, struct dentry *to_dentry)
{
	struct tyr_sights from = {}, to = {};
	int directory;

	directory = (BPF_CORE_READ(from_dentry, d_inode, i_mode) & S_IFMT) == S_IFDIR;
	if (tyr_look(decision, work, from_dentry, &from) ||
	    tyr_look(decision, work, to_dentry, &to))
		return -1;
	return tyr_move_loses(decision, &from, &to, directory);
}

static __noinline int tyr_decide_move(struct dentry *from, struct dentry *to, __u32 hook)
{
	struct tyr_decision decision = {};
	struct tyr_scratch *work;
	struct tyr_place place = {};
	int loses;

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = tyr_scratch_get();
	loses = tyr_move_verdict(&decision, work, from, to);
	if (!loses)
		return 0;
	decision.action = TYR_ACTION_FILE_WRITE;
	if (loses < 0 || tyr_place_of(work, from, &place)) {
		tyr_fault(&decision);
		work = 0;
	} else {
		decision.cell = TYR_VERDICT_DENY | TYR_CELL_MATCHED;
		decision.reason = TYR_REASON_MOVED;
	}
	return tyr_conclude(&decision, work, &place, 0);
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
