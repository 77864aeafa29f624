/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where an object is inside its file system.
 *
 * The walk goes from the dentry to the root of the super block and never looks at mounts, so the
 * caller's root, bind mounts and detached mounts change nothing. The root itself is the empty
 * path. A rename can move a directory while the walk passes it: a walk during which one ran is done
 * again. The kernel's rename_lock counts renames; a kernel that does not show it (kptr_restrict 2)
 * still has a count in every dentry.
 */
#ifndef TYR_PATH_BPF_H
#define TYR_PATH_BPF_H

#include "maps.bpf.h"

enum tyr_path_limits {
	TYR_COMPONENTS_MAX = TYR_PATH_MAX / 2 + 1,
	TYR_RENAME_TRIES = 4,
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
static __noinline __u64 tyr_chain_stamp(struct dentry *dentry, struct dentry *root)
{
	struct tyr_chain chain = { .at = dentry, .root = root };

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

/* Changes with every rename on the way up from `dentry`; 0 while one runs. */
static __noinline __u64 tyr_rename_stamp(struct dentry *dentry, struct dentry *root)
{
	__u32 sequence;

	if (!&rename_lock)
		return tyr_chain_stamp(dentry, root);
	sequence = tyr_rename_sequence();
	return sequence & 1 ? 0 : (__u64)sequence + 1;
}

static long tyr_climb_step(__u32 index, struct tyr_climb *climb)
{
	struct dentry *at = climb->at;
	struct dentry *parent;
	const unsigned char *name;
	__u32 length, offset = climb->offset;

	if (at == climb->root) {
		climb->outcome = TYR_PATH_SETTLED;
		return 1;
	}
	parent = BPF_CORE_READ(at, d_parent);
	if (!parent || parent == at) {
		climb->outcome = TYR_PATH_LOST;
		return 1;
	}
	length = BPF_CORE_READ(at, d_name.len);
	name = BPF_CORE_READ(at, d_name.name);
	if (length > NAME_BYTES_MAX || length + 1 > offset || offset > TYR_PATH_MAX) {
		climb->outcome = TYR_PATH_LONG;
		return 1;
	}
	offset -= length;
	/* The masks say what was just tested in a way that every verifier follows. */
	if (length && bpf_probe_read_kernel(climb->path + (offset & (TYR_PATH_MAX - 1)),
					    length & NAME_BYTES_MAX, name)) {
		climb->outcome = TYR_PATH_LOST;
		return 1;
	}
	offset--;
	climb->path[offset & (TYR_PATH_MAX - 1)] = '/';
	climb->offset = offset;
	climb->at = parent;
	return 0;
}

/*
 * Settles where `dentry` is: work->place and work->path. What is too long keeps the end of its
 * path, for the record. Returns 0, or -1 when a helper failed.
 */
static __noinline int tyr_place_of(struct tyr_scratch *work, struct dentry *dentry)
{
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct tyr_place *place = &work->place;
	struct tyr_climb climb = {};

	place->outcome = TYR_PATH_LOST;
	place->dev = BPF_CORE_READ(sb, s_dev);
	place->ino = inode ? BPF_CORE_READ(inode, i_ino) : 0;
	place->names = 0;
	if (inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFDIR)
		place->names = BPF_CORE_READ(inode, __i_nlink);
	place->offset = TYR_PATH_MAX;
	place->length = 0;
	if (BPF_CORE_READ(sb, s_flags) & SB_NOUSER) {
		place->outcome = TYR_PATH_PSEUDO;
		return 0;
	}
	climb.root = BPF_CORE_READ(sb, s_root);
	climb.path = work->path;
	for (int attempt = 0; attempt < TYR_RENAME_TRIES; attempt++) {
		__u64 stamp = tyr_rename_stamp(dentry, climb.root);

		climb.at = dentry;
		climb.offset = TYR_PATH_MAX;
		climb.outcome = TYR_PATH_WALKING;
		if (bpf_loop(TYR_COMPONENTS_MAX, tyr_climb_step, &climb, 0) < 0)
			return -1;
		if (stamp && stamp == tyr_rename_stamp(dentry, climb.root)) {
			place->outcome = climb.outcome;
			if (climb.outcome == TYR_PATH_WALKING)
				place->outcome = TYR_PATH_LONG;
			/* Files of namespaces stand in no tree, and no rule can name them. */
			if (climb.outcome == TYR_PATH_LOST &&
			    BPF_CORE_READ(sb, s_magic) == NSFS_MAGIC)
				place->outcome = TYR_PATH_PSEUDO;
			place->offset = climb.offset;
			place->length = TYR_PATH_MAX - climb.offset;
			return 0;
		}
		tyr_count(TYR_COUNT_RENAME_RACES);
	}
	return 0;
}

#endif
