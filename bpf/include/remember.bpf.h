/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The latest open of a file that was allowed without an event, and that its use was allowed, so that
 * the same need not be decided again. It is kept in a table of fixed size, since memory that is made
 * for an inode costs as much as a decision; a cell is overwritten by other files that fall on it.
 *
 * It holds while nothing can have changed that the decision was made of:
 *  - image, session and executable: generation and profile are compared;
 *  - the file: super block, inode number and generation. They name one file as long as no super
 *    block was freed, which is counted; inodes in memory come and go;
 *  - the name: the same dentry with the same parent and name, still in its directory, and the
 *    kernel's rename_lock, which counts every move of a dentry on the host, as it was during the walk;
 *  - other names: the inode has one link and never had another one while it was in memory.
 *    tyr_forget marks it before a link is made. Directories have no links;
 *  - the file system is one of those that change names only under the kernel's eyes and compare
 *    them byte by byte.
 *
 * Mounts change the image, and with it the generation. Only LSM programs remember, because only they
 * have the storage of inodes that the mark is kept in.
 */
#ifndef TYR_REMEMBER_BPF_H
#define TYR_REMEMBER_BPF_H

#include "judge.bpf.h"

enum tyr_remembered_flags {
	TYR_REMEMBERED_READ = FMODE_READ,
	TYR_REMEMBERED_WRITE = FMODE_WRITE,
	TYR_REMEMBERED_PLAIN = 4,	/* shows no agent, whoever reads it */
	TYR_REMEMBERED_USE = 16,	/* times a mode: reading or writing what is open, which leaves no event */
};

enum tyr_remembered_limits {
	TYR_REMEMBERED_BITS = 15,
	TYR_REMEMBERED_CELLS = 32768,
	TYR_FOLDER_BITS = 12,
	TYR_FOLDER_CELLS = 4096,
	/*
	 * 16 s to 3 minutes, by the kernel's clock rate. The 2^31 renames after which the sequence
	 * of rename_lock begins anew take longer.
	 */
	TYR_REMEMBERED_JIFFIES = 16384,
};

/* Which file, by which name, and in whose eyes. */
struct tyr_opened {
	__u64 sb;
	__u64 ino;
	__u64 dentry;
	__u64 parent;
	__u64 name;			/* hash and length */
	__u32 inode_generation;
	__u32 supers;			/* super blocks freed before */
	__u32 generation;
	__u32 profile;
};

struct tyr_remembered {
	struct bpf_spin_lock lock;
	__u32 flags;			/* TYR_REMEMBERED_* */
	__u32 sequence;			/* of rename_lock */
	__u32 reserved;
	__u64 jiffies;
	struct tyr_opened opened;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYR_REMEMBERED_CELLS);
	__type(key, __u32);
	__type(value, struct tyr_remembered);
} remembered SEC(".maps");

/* Inodes that had another link while they were in memory: never remembered. */
struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} linked SEC(".maps");

struct tyr_remembering {
	__u32 off;	/* not 0 when an inode could not be marked: nothing is remembered any more */
	__u32 supers;	/* super blocks that were freed */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tyr_remembering);
} remembering SEC(".maps");

/* 0 when nothing may be remembered. */
static __always_inline volatile struct tyr_remembering *tyr_may_remember(void)
{
	__u32 zero = 0;
	volatile struct tyr_remembering *state = bpf_map_lookup_elem(&remembering, &zero);

	return state && !state->off ? state : 0;
}

/*
 * The latest directories that a first open of a file came by: the state that the automaton of one
 * action has after the path of the directory, so that only the file's own name is left to be read
 * and matched. Cells are those of `remembered`: `profile` is the state before the path, which says
 * the action, and `flags` is the state behind it. They hold under the same conditions.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYR_FOLDER_CELLS);
	__type(key, __u32);
	__type(value, struct tyr_remembered);
} folders SEC(".maps");

/* The cell of an inode, for whatever dentry: a link may be made of any of them. */
static __always_inline struct tyr_remembered *tyr_remembered_of(struct inode *inode)
{
	__u32 index = (__u64)inode->i_ino * TYR_STAMP_FACTOR >> (64 - TYR_REMEMBERED_BITS);

	return bpf_map_lookup_elem(&remembered, &index);
}

static __always_inline void tyr_remembered_clear(struct tyr_remembered *cell)
{
	bpf_spin_lock(&cell->lock);
	cell->flags = 0;
	cell->opened.dentry = 0;
	bpf_spin_unlock(&cell->lock);
}

/* What must have been allowed before for an open to be allowed now. */
static __always_inline __u32 tyr_open_needs(struct tyr_task *task, __u32 mode)
{
	__u32 needs = 0;

	if (task->profile != TYR_PROFILE_NONE)
		needs = mode & (TYR_REMEMBERED_READ | TYR_REMEMBERED_WRITE);
	if (task->flags & TYR_TASK_INTERPRETER && mode & FMODE_READ)
		needs |= TYR_REMEMBERED_PLAIN;
	return needs;
}

/* Whether the name of an inode is its only one and can be trusted to stay. */
static __always_inline int tyr_name_is_sole(struct dentry *dentry, struct inode *inode)
{
	umode_t format = inode->i_mode & S_IFMT;

	if (dentry->d_inode != inode || !dentry->d_hash.pprev)
		return 0;
	return format == S_IFDIR || (format == S_IFREG && inode->__i_nlink == 1);
}

/* Hash and length of a name; two loads, because 6.1 does not take them as one member. */
static __always_inline __u64 tyr_name_of(struct dentry *dentry)
{
	return (__u64)dentry->d_name.hash << 32 | dentry->d_name.len;
}

static __always_inline void tyr_opened_fill(struct tyr_opened *opened, struct dentry *dentry,
					    struct inode *inode)
{
	opened->sb = (__u64)inode->i_sb;
	opened->ino = inode->i_ino;
	opened->inode_generation = inode->i_generation;
	opened->dentry = (__u64)dentry;
	opened->parent = (__u64)dentry->d_parent;
	opened->name = tyr_name_of(dentry);
}

static __always_inline int tyr_opened_is_same(struct tyr_opened *kept, struct tyr_opened *now)
{
	return kept->dentry == now->dentry && kept->parent == now->parent &&
	       kept->name == now->name && kept->ino == now->ino && kept->sb == now->sb &&
	       kept->inode_generation == now->inode_generation && kept->supers == now->supers &&
	       kept->generation == now->generation && kept->profile == now->profile;
}

/* Whether what `needs` says was allowed before, and that still holds. */
static __always_inline int tyr_recall(struct tyr_task *task, struct file *file, __u32 needs)
{
	volatile struct tyr_remembering *state = tyr_may_remember();
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	struct tyr_remembered *cell;
	__u32 flags, sequence, same;
	struct tyr_opened now;
	__u64 jiffies;

	if (!state || !tyr_profile_is_kept(task, tyr_session_epoch()))
		return 0;
	cell = tyr_remembered_of(inode);
	if (!cell || !tyr_name_is_sole(dentry, inode))
		return 0;
	now.generation = task->generation;
	now.profile = task->profile;
	now.supers = state->supers;
	tyr_opened_fill(&now, dentry, inode);
	bpf_spin_lock(&cell->lock);
	same = tyr_opened_is_same(&cell->opened, &now);
	flags = cell->flags;
	sequence = cell->sequence;
	jiffies = cell->jiffies;
	bpf_spin_unlock(&cell->lock);
	return same && (flags & needs) == needs &&
	       bpf_jiffies64() - jiffies <= TYR_REMEMBERED_JIFFIES &&
	       sequence == tyr_rename_sequence();
}

/*
 * File systems of this host alone, without a way of their own to change or to compare names, and
 * with one file for each inode number: subvolumes of Btrfs have the same numbers.
 */
static __always_inline int tyr_names_are_local(struct dentry *dentry)
{
	switch (dentry->d_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return !(dentry->d_flags &
			 (DCACHE_OP_HASH | DCACHE_OP_COMPARE | DCACHE_OP_REVALIDATE));
	}
	return 0;
}

/*
 * Keeps that something was allowed: `flags` of it were, at the place that decision->work has.
 *
 * A link may be made meanwhile. tyr_forget marks the inode and then clears the cell; here the cell
 * is written and then the mark is looked for, so that one of both sees the other. Until then
 * `file` holds the dentry, and no other can be in its place.
 */
static __noinline int tyr_remember(struct tyr_decision *decision, struct file *file, __u32 flags)
{
	volatile struct tyr_remembering *state = tyr_may_remember();
	__u32 sequence = decision->work->place.sequence;
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	__u64 jiffies = bpf_jiffies64();
	struct tyr_remembered *cell;
	struct tyr_opened now;

	if (!state || sequence & 1 || !decision->task->profile_epoch ||
	    !tyr_names_are_local(dentry) || !tyr_name_is_sole(dentry, inode))
		return 0;
	cell = tyr_remembered_of(inode);
	if (!cell)
		return 0;
	now.generation = decision->image.header->generation;
	now.profile = decision->work->profile;
	now.supers = state->supers;
	tyr_opened_fill(&now, dentry, inode);
	bpf_spin_lock(&cell->lock);
	/* What is added to an open has its time. */
	if (cell->sequence == sequence && jiffies - cell->jiffies <= TYR_REMEMBERED_JIFFIES &&
	    tyr_opened_is_same(&cell->opened, &now)) {
		cell->flags |= flags;
	} else {
		cell->opened = now;
		cell->sequence = sequence;
		cell->jiffies = jiffies;
		cell->flags = flags;
	}
	bpf_spin_unlock(&cell->lock);
	if (bpf_inode_storage_get(&linked, inode, 0, 0))
		tyr_remembered_clear(cell);
	return 0;
}

static __always_inline struct tyr_remembered *tyr_folder_of(struct inode *inode, __u32 start)
{
	__u32 index = ((__u64)inode->i_ino ^ start) * TYR_STAMP_FACTOR >> (64 - TYR_FOLDER_BITS);

	return bpf_map_lookup_elem(&folders, &index);
}

/* What names the directory of `dentry` in the state `start`; 0 where nothing is remembered. */
static __always_inline struct tyr_remembered *tyr_folder_find(struct tyr_opened *now,
							      struct tyr_image_ref *image,
							      struct dentry *dentry, __u32 start)
{
	volatile struct tyr_remembering *state = tyr_may_remember();
	struct dentry *parent = dentry->d_parent;
	struct inode *inode = parent->d_inode;

	if (!state || !start || !tyr_names_are_local(dentry) || !parent->d_hash.pprev)
		return 0;
	now->generation = image->header->generation;
	now->profile = start;
	now->supers = state->supers;
	tyr_opened_fill(now, parent, inode);
	return tyr_folder_of(inode, start);
}

/*
 * The class of a file that its directory's state and its name give, for work->action; -1 where the
 * whole path must be walked. The name is the only one of the file: no link could tell more.
 */
static __noinline long tyr_recall_class(struct tyr_decision *decision, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct tyr_scratch *work = decision->work;
	__u64 column = work->action, length = dentry->d_name.len;
	__u32 above, sequence, same;
	struct tyr_remembered *cell;
	struct tyr_opened now;
	__u64 jiffies;
	__u32 start;

	tyr_opaque(column);
	if (column > TYR_ACTION_EXEC || length > NAME_BYTES_MAX)
		return -1;
	start = tyr_superblock_start(decision->image.header, dentry->d_sb->s_dev, column);
	cell = tyr_folder_find(&now, &decision->image, dentry, start);
	if (!cell)
		return -1;
	bpf_spin_lock(&cell->lock);
	same = tyr_opened_is_same(&cell->opened, &now);
	above = cell->flags;
	sequence = cell->sequence;
	jiffies = cell->jiffies;
	bpf_spin_unlock(&cell->lock);
	if (!same || bpf_jiffies64() - jiffies > TYR_REMEMBERED_JIFFIES)
		return -1;
	work->path[0] = '/';
	tyr_opaque(length);
	if (bpf_probe_read_kernel(work->path + 1, length & NAME_BYTES_MAX, dentry->d_name.name) ||
	    sequence != tyr_rename_sequence())
		return -1;
	work->place.sequence = sequence;
	return tyr_walk_path(&decision->image, above, work->path, 0, length + 1);
}

/* Keeps what the walk of work->place found for work->action. */
static __noinline int tyr_learn_folder(struct tyr_decision *decision, struct file *file)
{
	struct tyr_scratch *work = decision->work;
	struct tyr_place *place = &work->place;
	__u64 column = work->action;
	__u64 jiffies = bpf_jiffies64();
	struct tyr_remembered *cell;
	struct tyr_opened now;
	__u32 start;

	tyr_opaque(column);
	if (column > TYR_ACTION_EXEC || !place->above || place->sequence & 1)
		return 0;
	start = tyr_superblock_start(decision->image.header, place->dev, column);
	cell = tyr_folder_find(&now, &decision->image, file->f_path.dentry, start);
	if (!cell)
		return 0;
	bpf_spin_lock(&cell->lock);
	cell->opened = now;
	cell->sequence = place->sequence;
	cell->jiffies = jiffies;
	cell->flags = place->above;
	bpf_spin_unlock(&cell->lock);
	return 0;
}

/* A link to the inode is about to be made, by whomever. */
static __always_inline void tyr_forget(struct inode *inode)
{
	struct tyr_remembered *cell = tyr_remembered_of(inode);
	struct tyr_remembering *state;
	__u32 zero = 0;
	void *mark = 0;

	for (int attempt = 0; attempt < TYR_STORAGE_TRIES && !mark; attempt++)
		mark = bpf_inode_storage_get(&linked, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	state = bpf_map_lookup_elem(&remembering, &zero);
	if (!mark && state)
		*(volatile __u32 *)&state->off = 1;
	if (cell)
		tyr_remembered_clear(cell);
}

/* A super block is about to be freed: its address may come to mean another one. */
static __always_inline void tyr_super_freed(void)
{
	struct tyr_remembering *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&remembering, &zero);
	if (state)
		__sync_fetch_and_add(&state->supers, 1);
}

#endif
