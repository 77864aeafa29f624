/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File systems that a governed task mounted for itself, as sandboxes do.
 *
 * One that the mount tables do not have, and that holds nothing but what its users put there or
 * what the kernel shows everywhere, needs no denial: no rule about the host's files can mean what
 * is in it. Its paths get a beginning of their own that rules can name; a kernel file system has the
 * names of the host's.
 */
#ifndef TYR_PRIVATE_BPF_H
#define TYR_PRIVATE_BPF_H

#include "path.bpf.h"

static const __u8 tyr_private_tmpfs[] = { '/', 'p', 'r', 'i', 'v', 'a', 't', 'e', ':', 't', 'm',
					  'p', 'f', 's' };
static const __u8 tyr_private_proc[] = { '/', 'p', 'r', 'o', 'c' };
static const __u8 tyr_private_sys[] = { '/', 's', 'y', 's' };
static const __u8 tyr_private_devpts[] = { '/', 'd', 'e', 'v', '/', 'p', 't', 's' };
static const __u8 tyr_private_mqueue[] = { '/', 'd', 'e', 'v', '/', 'm', 'q', 'u', 'e', 'u', 'e' };

static __always_inline int tyr_may_be_private(__u64 magic)
{
	switch (magic) {
	case TMPFS_MAGIC:
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case MQUEUE_MAGIC:
		return 1;
	}
	return 0;
}

/* Puts `text` before the path that was settled; 0 when there is no room. */
static __always_inline int tyr_prefix(struct tyr_scratch *work, const __u8 *text, __u32 length)
{
	struct tyr_place *place = &work->place;
	__u64 offset = place->offset - length;

	if (place->offset < length || offset >= TYR_PATH_MAX)
		return 0;
	tyr_opaque(offset);
	bpf_probe_read_kernel(work->path + (offset & (TYR_PATH_MAX - 1)), length, text);
	place->offset = offset;
	place->length += length;
	place->dev = 0;
	place->names = 0;
	return 1;
}

#define TYR_PREFIX(work, text) tyr_prefix(work, text, sizeof(text))

/*
 * Gives a settled place on a private file system its name: then work->place.dev is 0. Returns 0
 * where it has none.
 */
TYR_GLOBAL int tyr_name_private(struct tyr_scratch *work)
{
	__u64 sb;

	if (!work)
		return 0;
	sb = work->place.sb;
	if (!bpf_map_lookup_elem(&private_mounts, &sb))
		return 0;
	switch (BPF_CORE_READ((struct super_block *)sb, s_magic)) {
	case TMPFS_MAGIC:
		return TYR_PREFIX(work, tyr_private_tmpfs);
	case PROC_SUPER_MAGIC:
		return TYR_PREFIX(work, tyr_private_proc);
	case SYSFS_MAGIC:
		return TYR_PREFIX(work, tyr_private_sys);
	case DEVPTS_SUPER_MAGIC:
		return TYR_PREFIX(work, tyr_private_devpts);
	case MQUEUE_MAGIC:
		return TYR_PREFIX(work, tyr_private_mqueue);
	}
	return 0;
}

/* The state of the path automaton before the path in work->place; 0 when it is unsettled. */
static __always_inline __u32 tyr_place_start(struct tyr_image_ref *image, struct tyr_scratch *work,
					     __u32 kind)
{
	__u64 column = kind;
	__u32 start;

	tyr_opaque(column);
	if (work->place.outcome != TYR_PATH_SETTLED || column > TYR_ACTION_EXEC)
		return 0;
	if (work->place.dev) {
		start = tyr_superblock_start(image->header, work->place.dev, column);
		if (start || !tyr_name_private(work))
			return start;
	}
	return image->header->path_start[column];
}

#endif
