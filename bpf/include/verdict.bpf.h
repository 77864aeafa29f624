/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a policy image to a verdict: the image in force, the start state of a file system, the
 * class of an object, and the cell.
 *
 * Functions return 0 when they have an answer. Anything negative is a fault of the image or of a
 * helper, and means: deny to governed tasks.
 */
#ifndef TYR_VERDICT_BPF_H
#define TYR_VERDICT_BPF_H

#include "automaton.bpf.h"

enum tyr_image_open_result {
	TYR_IMAGE_NONE = 1,	/* no image was ever put in force: nothing is governed */
};

struct tyr_image_pages {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);	/* images differ in size */
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct tyr_page));
};

/* Element 0 is the image in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct tyr_image_pages);
} image SEC(".maps");

/*
 * Takes hold of the generation in force. Call it once for an operation and use the same `ref` for
 * every question about it. Returns 0, TYR_IMAGE_NONE, or -1 for an image of another layout.
 */
static __always_inline long tyr_image_open(struct tyr_image_ref *ref)
{
	struct tyr_image_header *header;
	void *pages;
	__u32 zero = 0;

	pages = bpf_map_lookup_elem(&image, &zero);
	if (!pages)
		return TYR_IMAGE_NONE;
	header = bpf_map_lookup_elem(pages, &zero);
	if (!header || header->magic != TYR_IMAGE_MAGIC || header->abi != TYR_IMAGE_ABI)
		return -1;
	ref->pages = pages;
	ref->header = header;
	return 0;
}

/*
 * The state in which the path automaton is after the mount point of file system `dev`, for
 * questions of `kind`; go on from it with the path inside the file system (which begins with a
 * slash). Returns 0 when the image does not list the file system: its paths are unsettled.
 */
static __noinline __u32 tyr_superblock_start(struct tyr_image_ref *ref, __u32 dev, __u32 kind)
{
	struct tyr_image_header *header = ref->header;
	__u32 slot = (dev * TYR_SUPERBLOCK_HASH) >> TYR_SUPERBLOCK_HASH_SHIFT;
	__u64 column = kind;

	tyr_opaque(column);
	if (!dev || column >= TYR_PATH_KINDS)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 probe = 0; probe < TYR_SUPERBLOCK_PROBES_MAX; probe++) {
		struct tyr_superblock *entry;

		entry = &header->superblock[(slot + probe) & (TYR_SUPERBLOCKS_MAX - 1)];
		if (entry->dev == dev)
			return entry->start[column];
		if (!entry->dev)
			return 0;
	}
	return 0;
}

/*
 * File system `dev` has ended, and its number may be given to another one before the image knows:
 * its paths are unsettled from now on.
 */
static __noinline int tyr_superblock_forget(struct tyr_image_ref *ref, __u32 dev)
{
	struct tyr_image_header *header = ref->header;
	__u32 slot = (dev * TYR_SUPERBLOCK_HASH) >> TYR_SUPERBLOCK_HASH_SHIFT;

#pragma clang loop unroll(disable)
	for (__u32 probe = 0; probe < TYR_SUPERBLOCK_PROBES_MAX; probe++) {
		struct tyr_superblock *entry;

		entry = &header->superblock[(slot + probe) & (TYR_SUPERBLOCKS_MAX - 1)];
		if (!entry->dev)
			return 0;
		if (entry->dev != dev)
			continue;
		__builtin_memset(entry->start, 0, sizeof(entry->start));
		return 0;
	}
	return 0;
}

/* The profile of a session's slot and an executable's class (label of a TYR_PATH_BINARY walk). */
static __always_inline __u32 tyr_profile(struct tyr_image_ref *ref, __u32 slot, __u32 exe_class)
{
	return slot * ref->header->exe_classes + exe_class;
}

/* The cell (TYR_CELL_*) of a class of resources of `action`, or -1 when the image has none. */
static __noinline long tyr_cell(struct tyr_image_ref *ref, __u32 profile, __u32 action,
				__u32 class)
{
	struct tyr_image_header *header = ref->header;
	struct tyr_page *page;
	__u64 column = action;
	__u64 word;

	tyr_opaque(column);
	if (column >= TYR_ACTIONS || profile >= header->profiles)
		return -1;
	if (class >= header->class_count[column])
		return -1;
	word = (__u64)profile * header->row_words + header->action_base[column] + class;
	page = tyr_page(ref->pages, header->cell_page + (__u32)(word / TYR_PAGE_WORDS));
	if (!page)
		return -1;
	return page->word[word & (TYR_PAGE_WORDS - 1)];
}

/* The other end of a connection. */
struct tyr_endpoint {
	__u8 address[16];	/* network order; IPv4, also mapped, in the first 4 bytes */
	__u32 length;		/* 4 or 16; anything else is an address that no rule describes */
	__u16 port;		/* host order */
	__u16 protocol;		/* IPPROTO_* */
};

/* The class of a connection's other end, or -1. `endpoint` may lie on the stack. */
static __noinline long tyr_net_class(struct tyr_image_ref *ref,
				     const struct tyr_endpoint *endpoint)
{
	struct tyr_image_header *header = ref->header;
	__u8 key[TYR_NET_KEY_MAX] = {};
	__u16 protocol = endpoint->protocol;
	__u32 start, tail;

	if (endpoint->length == 4) {
		__builtin_memcpy(key, endpoint->address, 4);
		start = header->net_start4;
		tail = 4;
	} else if (endpoint->length == 16) {
		__builtin_memcpy(key, endpoint->address, 16);
		start = header->net_start6;
		tail = 16;
	} else {
		return header->unknown_class[TYR_ACTION_NET_CONNECT];
	}
	if (protocol == TYR_PROTOCOL_MPTCP)
		protocol = TYR_PROTOCOL_TCP;
	key[tail] = endpoint->port >> 8;
	key[tail + 1] = endpoint->port & 0xff;
	key[tail + 2] = protocol > 255 ? 255 : protocol;
	return tyr_walk_net(ref, start, key, tail + 3);
}

#endif
