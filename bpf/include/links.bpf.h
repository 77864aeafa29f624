/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hard links: what rules see in the other names of an object.
 *
 * A name says nothing of the others, so they are kept by inode: user space writes those that it
 * finds before an image is in force, hooks those that are made afterwards, by whomever. They are
 * asked for only when the inode has more than one name; the strictest verdict of all holds.
 */
#ifndef TYR_LINKS_BPF_H
#define TYR_LINKS_BPF_H

#include "move.bpf.h"

_Static_assert(TYR_LINK_ACTIONS == TYR_ACTION_EXEC + 1, "a class for each action on a path");

static __always_inline void tyr_link_key_fill(struct tyr_decision *decision)
{
	struct tyr_scratch *work = decision->work;

	work->link_key.generation = decision->image.header->generation;
	work->link_key.dev = work->place.dev;
	work->link_key.ino = work->place.ino;
	work->link_key.number = 0;
	work->link_key.reserved = 0;
}

struct tyr_linked {
	struct tyr_decision *decision;
	__u32 pad;
	__u32 fault;
};

static long tyr_linked_step(__u32 index, struct tyr_linked *linked)
{
	struct tyr_decision *decision = linked->decision;
	struct tyr_scratch *work = decision->work;
	__u64 action = work->action;
	struct tyr_link *link;
	long cell;

	work->link_key.number = index;
	link = bpf_map_lookup_elem(&links, &work->link_key);
	if (!link)
		return 1;
	tyr_opaque(action);
	if (action > TYR_ACTION_EXEC)
		return 1;
	cell = tyr_judge(decision, link->class[action]);
	if (cell < 0) {
		linked->fault = 1;
		return 1;
	}
	if (tyr_cell_rank(cell) > tyr_cell_rank(work->cell)) {
		work->cell = cell;
		work->reason = TYR_REASON_LINKED;
	}
	return 0;
}

/* Makes work->cell the strictest over all names of the object at work->place; not 0: a fault. */
static __noinline int tyr_judge_linked(struct tyr_decision *decision)
{
	struct tyr_linked linked = { .decision = decision };

	tyr_link_key_fill(decision);
	return bpf_loop(TYR_LINK_NAMES_MAX + 1, tyr_linked_step, &linked, 0) < 0 || linked.fault;
}

struct tyr_keeping {
	struct tyr_decision *decision;
	__u32 pad;
	__u32 lost;
};

/* One place among the names of an inode: taken by the same classes already, or free, or the last. */
static long tyr_keep_step(__u32 index, struct tyr_keeping *keeping)
{
	struct tyr_scratch *work = keeping->decision->work;
	struct tyr_image_header *header = keeping->decision->image.header;
	struct tyr_link *link, *wanted = &work->link;
	long error;

	work->link_key.number = index;
	link = bpf_map_lookup_elem(&links, &work->link_key);
	if (link) {
		if (link->class[0] == wanted->class[0] && link->class[1] == wanted->class[1] &&
		    link->class[2] == wanted->class[2])
			return 1;
		return 0;
	}
	if (index >= TYR_LINK_NAMES_MAX) {
		wanted->class[0] = header->unknown_class[0];
		wanted->class[1] = header->unknown_class[1];
		wanted->class[2] = header->unknown_class[2];
		wanted->length = TYR_LINK_UNKNOWN;
	}
	error = bpf_map_update_elem(&links, &work->link_key, wanted, BPF_NOEXIST);
	if (error == -EEXIST)
		return 0;
	if (error)
		keeping->lost = 1;
	return 1;
}

/* Keeps work->place, seen as `sights`, as a name of inode `ino`. */
static __noinline int tyr_link_keep(struct tyr_decision *decision, struct tyr_sights *sights,
				    __u64 ino)
{
	struct tyr_keeping keeping = { .decision = decision };
	struct tyr_scratch *work = decision->work;
	struct tyr_link *link = &work->link;
	__u32 length = work->place.length;

	link->class[0] = sights->action[0].class;
	link->class[1] = sights->action[1].class;
	link->class[2] = sights->action[2].class;
	/* All names of what is on a private file system are there. */
	if (!work->place.dev)
		return 0;
	/* Class 0 is what no rule names. */
	if (!link->class[0] && !link->class[1] && !link->class[2])
		return 0;
	link->length = TYR_LINK_UNKNOWN;
	if (work->place.outcome == TYR_PATH_SETTLED && length <= TYR_EXE_MAX &&
	    !bpf_probe_read_kernel(link->path, length,
				   work->path + (work->place.offset & (TYR_PATH_MAX - 1))))
		link->length = length;
	tyr_link_key_fill(decision);
	work->link_key.ino = ino;
	if (bpf_loop(TYR_LINK_NAMES_MAX + 1, tyr_keep_step, &keeping, 0) < 0 || keeping.lost)
		tyr_count(TYR_COUNT_LINKS_LOST);
	return 0;
}

static __noinline int tyr_mark_names(struct tyr_decision *decision, struct dentry *from,
				     struct dentry *to)
{
	struct tyr_scratch *work = decision->work;
	struct tyr_sights *was = &work->from, *is = &work->to;
	__u64 ino = BPF_CORE_READ(from, d_inode, i_ino);

	if (tyr_look(decision, to, is) || tyr_look(decision, from, was))
		return -1;
	if (was->action[0].class == is->action[0].class &&
	    was->action[1].class == is->action[1].class &&
	    was->action[2].class == is->action[2].class)
		return 0;
	tyr_link_keep(decision, was, ino);
	if (tyr_place_of(work, to))
		return -1;
	return tyr_link_keep(decision, is, ino);
}

/*
 * A file gets another name: what rules see in both is kept when they differ. This is done for
 * every process of the host, and never refuses anything.
 */
static __noinline int tyr_mark(struct dentry *from, struct dentry *to)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_decision decision = {};
	__u32 who;

	if (tyr_image_open(&decision.image))
		return 0;
	decision.work = tyr_scratch_get();
	if (!decision.work) {
		tyr_count(TYR_COUNT_LINKS_LOST);
		return 0;
	}
	if (tyr_mark_names(&decision, from, to))
		tyr_count(TYR_COUNT_LINKS_LOST);
	if (!tyr_task_find(current, &who) && who == TYR_WHO_NONE)
		bpf_task_storage_delete(&scratch, current);
	return 0;
}

/*
 * An object that keeps other names loses this one, and with it what rules say of it: refused
 * while a rule denies anything under this name.
 */
static __noinline int tyr_decide_unname(struct dentry *dentry, __u32 hook)
{
	struct tyr_decision decision = {};
	struct tyr_losing losing = { .decision = &decision };
	struct tyr_scratch *work;

	if (BPF_CORE_READ(dentry, d_inode, __i_nlink) < 2 ||
	    (BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT) == S_IFDIR)
		return 0;
	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	/* The others may be anything; class 0 is what no rule names. */
	__builtin_memset(&work->to, 0, sizeof(work->to));
	if (tyr_look(&decision, dentry, &work->from) ||
	    bpf_loop(TYR_ACTION_EXEC + 1, tyr_losing_step, &losing, 0) < 0)
		losing.loses = 2;
	return tyr_conclude_losing(&decision, losing.loses);
}

#endif
