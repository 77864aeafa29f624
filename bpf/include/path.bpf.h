/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where an object is inside its file system.
 *
 * The walk goes from the dentry to the root of the super block and never looks at mounts, so the
 * caller's root, bind mounts and detached mounts change nothing. The root itself is the empty
 * path. A rename can move a directory while the walk passes it: a walk during which one ran is done
 * again. The kernel's rename_lock counts renames. When it moved, or on a kernel that does not show it
 * (kptr_restrict 2), the count that every dentry has of its own changes is asked instead.
 */
#ifndef TYR_PATH_BPF_H
#define TYR_PATH_BPF_H

#include "maps.bpf.h"

enum tyr_path_limits {
	TYR_COMPONENTS_MAX = TYR_PATH_MAX / 2 + 1,
	TYR_RENAME_TRIES = 4,
	TYR_SEQUENCE_NONE = 1,	/* odd: no walk was ever done under it */
};

#define TYR_STAMP_FACTOR 0x9e3779b97f4a7c15ull

enum tyr_path_outcome {
	TYR_PATH_SETTLED = 0,
	TYR_PATH_LONG = 1,
	TYR_PATH_LOST = 2,	/* does not end at the root of the file system */
	TYR_PATH_PSEUDO = 3,	/* pipe, socket, anonymous inode, memfd: no place in any tree */
	TYR_PATH_WALKING = 4,
};

struct tyr_climb {
	struct dentry *at;
	struct dentry *root;
	__u8 *path;
	__u32 offset;
	__u32 outcome;
};

/* The first word of the lock is its sequence; a kernel that does not show it has address 0. */
extern const void rename_lock __ksym __weak;

struct tyr_chain {
	struct dentry *at;
	struct dentry *root;
	__u64 stamp;
	__u32 pad;
	__u32 changing;
};

static long tyr_chain_step(__u32 index, struct tyr_chain *chain)
{
	struct dentry *at = chain->at;
	__u32 sequence = BPF_CORE_READ(at, d_seq.seqcount.sequence);
	struct dentry *parent = BPF_CORE_READ(at, d_parent);

	chain->changing |= sequence & 1;
	chain->stamp = (chain->stamp ^ (__u64)parent) * TYR_STAMP_FACTOR;
	chain->stamp = (chain->stamp ^ sequence) * TYR_STAMP_FACTOR;
	if (at == chain->root || !parent || parent == at)
		return 1;
	chain->at = parent;
	return 0;
}

/*
 * Every dentry on the way up, with its count of changes. Two equal answers: between the end of the
 * first and the beginning of the second the whole chain stood as it was read, since each of its
 * links was the same before and after.
 */
TYR_GLOBAL __u64 tyr_chain_stamp(struct tyr_chain *of)
{
	struct tyr_chain chain;

	if (!of)
		return 0;
	chain = *of;
	if (bpf_loop(TYR_COMPONENTS_MAX, tyr_chain_step, &chain, 0) < 0 || chain.changing)
		return 0;
	return chain.stamp | 1;
}

/* Only where the lock is shown. */
static __always_inline __u32 tyr_rename_sequence(void)
{
	__u32 sequence = 0;

	bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock);
	return sequence;
}

/*
 * Changes with every rename on the way up from `dentry`; 0 while one runs. The lock is cheap to ask
 * and counts every rename of the host: where many run, only the way itself tells.
 */
static __always_inline __u64 tyr_rename_stamp(struct dentry *dentry, struct dentry *root, int attempt)
{
	struct tyr_chain chain = { .at = dentry, .root = root };
	__u32 sequence;

	if (!&rename_lock || attempt)
		return tyr_chain_stamp(&chain);
	sequence = tyr_rename_sequence();
	return sequence & 1 ? 0 : (__u64)sequence + 1;
}

/* One component up: from one whose name is `length` bytes of `name` to `parent`. */
static __always_inline long tyr_climb_to(struct tyr_climb *climb, struct dentry *parent,
					 const unsigned char *name, __u32 length)
{
	__u32 offset = climb->offset;
	__u64 size = length;

	if (!parent || parent == climb->at) {
		climb->outcome = TYR_PATH_LOST;
		return 1;
	}
	if (length > NAME_BYTES_MAX || length + 1 > offset || offset > TYR_PATH_MAX) {
		climb->outcome = TYR_PATH_LONG;
		return 1;
	}
	offset -= length;
	/* The masks say what was just tested in a way that every verifier follows. */
	tyr_opaque(size);
	if (length && bpf_probe_read_kernel(climb->path + (offset & (TYR_PATH_MAX - 1)),
					    size & NAME_BYTES_MAX, name)) {
		climb->outcome = TYR_PATH_LOST;
		return 1;
	}
	offset--;
	climb->path[offset & (TYR_PATH_MAX - 1)] = '/';
	climb->offset = offset;
	climb->at = parent;
	return 0;
}

static long tyr_climb_step(__u32 index, struct tyr_climb *climb)
{
	struct dentry *at = climb->at;

	if (at == climb->root) {
		climb->outcome = TYR_PATH_SETTLED;
		return 1;
	}
	return tyr_climb_to(climb, BPF_CORE_READ(at, d_parent), BPF_CORE_READ(at, d_name.name),
			    BPF_CORE_READ(at, d_name.len));
}

/* The same by plain loads, each a tenth of the cost of a helper, for what verifiers know. */
static long tyr_climb_known(__u32 index, struct tyr_climb *climb)
{
	struct dentry *at = climb->at;

	if (at == climb->root) {
		climb->outcome = TYR_PATH_SETTLED;
		return 1;
	}
	return tyr_climb_to(climb, at->d_parent, at->d_name.name, at->d_name.len);
}

typedef long (*tyr_climb_fn)(__u32 index, struct tyr_climb *climb);

/* What is known of the object's file system. */
struct tyr_settling {
	struct dentry *root;
	__u64 sb;
	__u64 flags;
	__u64 magic;
	__u64 ino;
	__u32 dev;
	__u32 names;
	__u32 mode;
};

static __always_inline int tyr_settle(struct tyr_scratch *work, struct dentry *dentry,
				      struct tyr_settling with, tyr_climb_fn step)
{
	struct tyr_place *place = &work->place;
	struct tyr_climb climb = {};

	place->outcome = TYR_PATH_LOST;
	place->sequence = TYR_SEQUENCE_NONE;
	place->sb = with.sb;
	place->dev = with.dev;
	place->ino = with.ino;
	place->names = (with.mode & S_IFMT) == S_IFDIR ? 0 : with.names;
	place->offset = TYR_PATH_MAX;
	place->length = 0;
	if (with.flags & SB_NOUSER) {
		place->outcome = TYR_PATH_PSEUDO;
		return 0;
	}
	climb.root = with.root;
	climb.path = work->path;
	/* As a loop the verifier of 6.1 refuses it: its head would follow its end. */
#pragma clang loop unroll(full)
	for (int attempt = 0; attempt < TYR_RENAME_TRIES; attempt++) {
		__u64 stamp = tyr_rename_stamp(dentry, climb.root, attempt);

		climb.at = dentry;
		climb.offset = TYR_PATH_MAX;
		climb.outcome = TYR_PATH_WALKING;
		if (bpf_loop(TYR_COMPONENTS_MAX, step, &climb, 0) < 0)
			return -1;
		if (stamp && stamp == tyr_rename_stamp(dentry, climb.root, attempt)) {
			place->outcome = climb.outcome;
			if (climb.outcome == TYR_PATH_WALKING)
				place->outcome = TYR_PATH_LONG;
			/* Files of namespaces stand in no tree, and no rule can name them. */
			if (climb.outcome == TYR_PATH_LOST && with.magic == NSFS_MAGIC)
				place->outcome = TYR_PATH_PSEUDO;
			place->offset = climb.offset;
			place->length = TYR_PATH_MAX - climb.offset;
			if (&rename_lock && !attempt)
				place->sequence = stamp - 1;
			return 0;
		}
		tyr_count(TYR_COUNT_RENAME_RACES);
	}
	return 0;
}

/*
 * Settles where `dentry` is: work->place and work->path. What is too long keeps the end of its
 * path, for the record. Returns 0, or -1 when a helper failed.
 */
TYR_GLOBAL int tyr_settle_at(struct tyr_scratch *work)
{
	struct dentry *dentry = work ? (void *)work->dentry : 0;
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	struct tyr_settling with = {
		.root = BPF_CORE_READ(sb, s_root),
		.sb = (__u64)sb,
		.flags = BPF_CORE_READ(sb, s_flags),
		.magic = BPF_CORE_READ(sb, s_magic),
		.ino = BPF_CORE_READ(dentry, d_inode, i_ino),
		.dev = BPF_CORE_READ(sb, s_dev),
		.names = BPF_CORE_READ(dentry, d_inode, __i_nlink),
		.mode = BPF_CORE_READ(dentry, d_inode, i_mode),
	};

	return work ? tyr_settle(work, dentry, with, tyr_climb_step) : -1;
}

static __always_inline int tyr_place_of(struct tyr_scratch *work, struct dentry *dentry)
{
	work->dentry = (__u64)dentry;
	return tyr_settle_at(work);
}

/*
 * The same for a file that a hook was given. Plain loads must not go through what may be null:
 * verifiers take some pointers for not null, a dentry's inode among them, and leave out tests.
 */
static __noinline int tyr_place_of_file(struct tyr_scratch *work, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct super_block *sb = dentry->d_sb;
	struct tyr_settling with = {
		.root = sb->s_root,
		.sb = (__u64)sb,
		.flags = sb->s_flags,
		.magic = sb->s_magic,
		.ino = file->f_inode->i_ino,
		.dev = sb->s_dev,
		.names = file->f_inode->__i_nlink,
		.mode = file->f_inode->i_mode,
	};

	return tyr_settle(work, dentry, with, tyr_climb_known);
}

#endif
