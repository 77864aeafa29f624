/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where an object is inside its file system.
 *
 * The walk goes from the dentry to the root of the super block and never looks at mounts, so the
 * caller's root, bind mounts and detached mounts change nothing. The root itself is the empty
 * path. A rename can move a directory while the walk passes it; the kernel's rename_lock counts
 * renames, and a walk during which it changed is done again.
 */
#ifndef TYR_PATH_BPF_H
#define TYR_PATH_BPF_H

#include "maps.bpf.h"

enum tyr_path_limits {
	TYR_COMPONENTS_MAX = TYR_PATH_MAX / 2 + 1,
	TYR_RENAME_TRIES = 4,
	TYR_SEQUENCE_NONE = 1,	/* odd: no walk was ever done under it */
};

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

static __always_inline __u32 tyr_rename_sequence(void)
{
	__u32 sequence = 0;

	if (&rename_lock)
		bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock);
	return sequence;
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
	parent = at->d_parent;
	if (!parent || parent == at) {
		climb->outcome = TYR_PATH_LOST;
		return 1;
	}
	length = at->d_name.len;
	name = at->d_name.name;
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
 *
 * `dentry` must come from a hook's argument by plain loads, not from BPF_CORE_READ: then its fields
 * are plain loads too, each a tenth of the cost of a helper. Only what is never null may be loaded
 * through in that way: from 6.5 on verifiers take an argument, and a dentry's inode, for not null,
 * leave out tests for it, and let a load through it crash.
 */
static __noinline int tyr_place_in(struct tyr_scratch *work, struct dentry *dentry, __u64 ino)
{
	struct super_block *sb = dentry->d_sb;
	struct tyr_place *place = &work->place;
	struct tyr_climb climb = {};

	place->outcome = TYR_PATH_LOST;
	place->sequence = TYR_SEQUENCE_NONE;
	place->dev = sb->s_dev;
	place->ino = ino;
	place->offset = TYR_PATH_MAX;
	place->length = 0;
	if (sb->s_flags & SB_NOUSER) {
		place->outcome = TYR_PATH_PSEUDO;
		return 0;
	}
	climb.root = sb->s_root;
	climb.path = work->path;
	for (int attempt = 0; attempt < TYR_RENAME_TRIES; attempt++) {
		__u32 sequence = tyr_rename_sequence();

		climb.at = dentry;
		climb.offset = TYR_PATH_MAX;
		climb.outcome = TYR_PATH_WALKING;
		if (bpf_loop(TYR_COMPONENTS_MAX, tyr_climb_step, &climb, 0) < 0)
			return -1;
		if (!(sequence & 1) && sequence == tyr_rename_sequence()) {
			place->outcome = climb.outcome;
			if (climb.outcome == TYR_PATH_WALKING)
				place->outcome = TYR_PATH_LONG;
			place->offset = climb.offset;
			place->length = TYR_PATH_MAX - climb.offset;
			if (&rename_lock)
				place->sequence = sequence;
			return 0;
		}
		tyr_count(TYR_COUNT_RENAME_RACES);
	}
	return 0;
}

/* The same for any dentry; that of a name that is about to be made has no inode. */
static __always_inline int tyr_place_of(struct tyr_scratch *work, struct dentry *dentry)
{
	return tyr_place_in(work, dentry, BPF_CORE_READ(dentry, d_inode, i_ino));
}

#endif
