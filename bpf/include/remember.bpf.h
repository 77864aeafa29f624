/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The latest open of an inode that was allowed without an event, and that its use was allowed,
 * kept with the inode, so that the same need not be decided again. Only LSM programs have storage
 * of inodes.
 *
 * It holds while nothing can have changed that the decision was made of:
 *  - image, session and executable: generation and profile are compared;
 *  - the name: the same dentry with the same parent and name, still in its directory, and the
 *    kernel's rename_lock, which counts every move of a dentry on the host, as it was during the walk;
 *  - other names: the inode has one link and never had another one while it was in memory.
 *    tyr_forget marks it before a link is made. Directories have no links;
 *  - the file system is one of those that change names only under the kernel's eyes and compare
 *    them byte by byte.
 *
 * Mounts change the image, and with it the generation.
 */
#ifndef TYR_REMEMBER_BPF_H
#define TYR_REMEMBER_BPF_H

#include "judge.bpf.h"

enum tyr_remembered_flags {
	TYR_REMEMBERED_READ = FMODE_READ,
	TYR_REMEMBERED_WRITE = FMODE_WRITE,
	TYR_REMEMBERED_PLAIN = 4,	/* shows no agent, whoever reads it */
	TYR_REMEMBERED_LINKED = 8,	/* never again */
	TYR_REMEMBERED_USE = 16,	/* times a mode: reading or writing what is open, which leaves no event */
};

enum tyr_remembered_limits {
	/*
	 * 16 s to 3 minutes, by the kernel's clock rate. The 2^31 renames after which the sequence
	 * of rename_lock begins anew take longer.
	 */
	TYR_REMEMBERED_JIFFIES = 16384,
};

struct tyr_remembered {
	struct bpf_spin_lock lock;
	__u32 flags;			/* TYR_REMEMBERED_* */
	struct tyr_opened {
		__u64 dentry;
		__u64 parent;
		__u64 name;		/* hash and length */
		__u64 jiffies;
		__u32 generation;
		__u32 profile;
		__u32 sequence;		/* of rename_lock */
		__u32 reserved;
	} opened;
};

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tyr_remembered);
} remembered SEC(".maps");

/* Not 0 when an inode could not be marked: nothing is remembered any more. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} remember_off SEC(".maps");

static __always_inline int tyr_may_remember(void)
{
	__u32 zero = 0;
	__u32 *off = bpf_map_lookup_elem(&remember_off, &zero);

	return off && !*(volatile __u32 *)off;
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

/* Whether what `needs` says was allowed before, and that still holds. */
static __always_inline int tyr_recall(struct tyr_decision *decision, struct file *file,
				      __u32 needs)
{
	struct dentry *dentry = file->f_path.dentry;
	struct tyr_task *task = decision->task;
	struct inode *inode = file->f_inode;
	struct tyr_remembered *cell;
	struct tyr_opened opened;
	__u32 flags;

	if (!tyr_profile_is_kept(decision, tyr_session_epoch()))
		return 0;
	cell = bpf_inode_storage_get(&remembered, inode, 0, 0);
	if (!cell)
		return 0;
	bpf_spin_lock(&cell->lock);
	flags = cell->flags;
	opened = cell->opened;
	bpf_spin_unlock(&cell->lock);
	if ((flags & (needs | TYR_REMEMBERED_LINKED)) != needs || !tyr_may_remember())
		return 0;
	if (opened.profile != task->profile || opened.generation != task->generation)
		return 0;
	if (opened.dentry != (__u64)dentry || opened.parent != (__u64)dentry->d_parent ||
	    opened.name != tyr_name_of(dentry) || !tyr_name_is_sole(dentry, inode))
		return 0;
	if (bpf_jiffies64() - opened.jiffies > TYR_REMEMBERED_JIFFIES)
		return 0;
	return opened.sequence == tyr_rename_sequence();
}

/* File systems of this host alone, without a way of their own to change or to compare names. */
static __always_inline int tyr_names_are_local(struct dentry *dentry)
{
	switch (dentry->d_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return !(dentry->d_flags &
			 (DCACHE_OP_HASH | DCACHE_OP_COMPARE | DCACHE_OP_REVALIDATE));
	}
	return 0;
}

/* Whether the new open may be added to the one that is kept, whose time then stays. */
static __always_inline int tyr_opened_is_same(struct tyr_opened *kept, struct tyr_opened *opened)
{
	return kept->dentry == opened->dentry && kept->parent == opened->parent &&
	       kept->name == opened->name && kept->generation == opened->generation &&
	       kept->profile == opened->profile && kept->sequence == opened->sequence &&
	       opened->jiffies - kept->jiffies <= TYR_REMEMBERED_JIFFIES;
}

/* Keeps that something was allowed: `flags` of it were, at the place that decision->work has. */
static __noinline int tyr_remember(struct tyr_decision *decision, struct file *file, __u32 flags)
{
	struct dentry *dentry = file->f_path.dentry;
	struct tyr_task *task = decision->task;
	struct inode *inode = file->f_inode;
	struct tyr_opened opened = {};
	struct tyr_remembered *cell;

	opened.sequence = decision->work->place.sequence;
	if (opened.sequence & 1 || !task->profile_epoch || !tyr_may_remember() ||
	    !tyr_names_are_local(dentry) || !tyr_name_is_sole(dentry, inode))
		return 0;
	opened.dentry = (__u64)dentry;
	opened.parent = (__u64)dentry->d_parent;
	opened.name = tyr_name_of(dentry);
	opened.jiffies = bpf_jiffies64();
	opened.generation = decision->image.header->generation;
	opened.profile = decision->work->profile;
	cell = bpf_inode_storage_get(&remembered, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!cell)
		return 0;
	bpf_spin_lock(&cell->lock);
	if (!(cell->flags & TYR_REMEMBERED_LINKED)) {
		if (tyr_opened_is_same(&cell->opened, &opened)) {
			cell->flags |= flags;
		} else {
			cell->opened = opened;
			cell->flags = flags;
		}
	}
	bpf_spin_unlock(&cell->lock);
	return 0;
}

/* A link to the inode is about to be made, by whomever. */
static __always_inline void tyr_forget(struct inode *inode)
{
	struct tyr_remembered *cell;
	__u32 zero = 0, *off;

	for (int attempt = 0; attempt < TYR_STORAGE_TRIES; attempt++) {
		cell = bpf_inode_storage_get(&remembered, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!cell)
			continue;
		bpf_spin_lock(&cell->lock);
		cell->flags = TYR_REMEMBERED_LINKED;
		bpf_spin_unlock(&cell->lock);
		return;
	}
	off = bpf_map_lookup_elem(&remember_off, &zero);
	if (off)
		*(volatile __u32 *)off = 1;
}

#endif
