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
	__u64 flags;
	__u64 magic;
	__u64 ino;
	__u32 dev;
};

static __always_inline int tyr_settle(struct tyr_scratch *work, struct dentry *dentry,
				      struct tyr_settling with, tyr_climb_fn step)
{
	struct tyr_place *place = &work->place;
	struct tyr_climb climb = {};

	place->outcome = TYR_PATH_LOST;
	place->sequence = TYR_SEQUENCE_NONE;
	place->dev = with.dev;
	place->ino = with.ino;
	place->offset = TYR_PATH_MAX;
	place->length = 0;
	if (with.flags & SB_NOUSER) {
		place->outcome = TYR_PATH_PSEUDO;
		return 0;
	}
	climb.root = with.root;
	climb.path = work->path;
	for (int attempt = 0; attempt < TYR_RENAME_TRIES; attempt++) {
		__u32 sequence = tyr_rename_sequence();

		climb.at = dentry;
		climb.offset = TYR_PATH_MAX;
		climb.outcome = TYR_PATH_WALKING;
		if (bpf_loop(TYR_COMPONENTS_MAX, step, &climb, 0) < 0)
			return -1;
		if (!(sequence & 1) && sequence == tyr_rename_sequence()) {
			place->outcome = climb.outcome;
			if (climb.outcome == TYR_PATH_WALKING)
				place->outcome = TYR_PATH_LONG;
			/* Files of namespaces stand in no tree, and no rule can name them. */
			if (climb.outcome == TYR_PATH_LOST && with.magic == NSFS_MAGIC)
				place->outcome = TYR_PATH_PSEUDO;
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

/*
 * Settles where `dentry` is: work->place and work->path. What is too long keeps the end of its
 * path, for the record. Returns 0, or -1 when a helper failed.
 */
static __noinline int tyr_place_of(struct tyr_scratch *work, struct dentry *dentry)
{
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	struct tyr_settling with = {
		.root = BPF_CORE_READ(sb, s_root),
		.flags = BPF_CORE_READ(sb, s_flags),
		.magic = BPF_CORE_READ(sb, s_magic),
		.ino = BPF_CORE_READ(dentry, d_inode, i_ino),
		.dev = BPF_CORE_READ(sb, s_dev),
	};

	return tyr_settle(work, dentry, with, tyr_climb_step);
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
		.flags = sb->s_flags,
		.magic = sb->s_magic,
		.ino = file->f_inode->i_ino,
		.dev = sb->s_dev,
	};

	return tyr_settle(work, dentry, with, tyr_climb_known);
}

#endif
