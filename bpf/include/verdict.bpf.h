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

/* tyr_image_open for an image that is known to be of this layout. */
static __always_inline long tyr_image_take(struct tyr_image_ref *ref)
{
	__u32 zero = 0;

	ref->pages = bpf_map_lookup_elem(&image, &zero);
	if (!ref->pages)
		return TYR_IMAGE_NONE;
	ref->header = bpf_map_lookup_elem(ref->pages, &zero);
	return ref->header ? 0 : -1;
}

/*
 * Takes hold of the generation in force. Call it once for an operation and use the same `ref` for
 * every question about it. Returns 0, TYR_IMAGE_NONE, or -1 for an image of another layout.
 */
static __always_inline long tyr_image_open(struct tyr_image_ref *ref)
{
	struct tyr_image_header *header;
	long error = tyr_image_take(ref);

	if (error)
		return error;
	header = ref->header;
	return header->magic == TYR_IMAGE_MAGIC && header->abi == TYR_IMAGE_ABI ? 0 : -1;
}

/*
 * The state in which the path automaton is after the mount point of file system `dev`, for
 * questions of `kind`; go on from it with the path inside the file system (which begins with a
 * slash). Returns 0 when the image does not list the file system: its paths are unsettled.
 */
TYR_GLOBAL __u32 tyr_superblock_start(struct tyr_image_header *header, __u32 dev, __u32 kind)
{
	__u32 slot = (dev * TYR_SUPERBLOCK_HASH) >> TYR_SUPERBLOCK_HASH_SHIFT;
	__u64 column = kind;

	tyr_opaque(column);
	if (!header || !dev || column >= TYR_PATH_KINDS)
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
TYR_GLOBAL int tyr_superblock_forget(struct tyr_image_header *header, __u32 dev)
{
	__u32 slot = (dev * TYR_SUPERBLOCK_HASH) >> TYR_SUPERBLOCK_HASH_SHIFT;

	if (!header)
		return 0;
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

/* tyr_cell for a `column` that is an action. */
static __always_inline long tyr_cell_of(struct tyr_image_ref *ref, __u64 profile, __u64 column,
					__u64 class)
{
	struct tyr_image_header *header = ref->header;
	struct tyr_page *page;
	__u64 word;

	if (profile >= header->profiles || class >= header->class_count[column])
		return -1;
	word = profile * header->row_words + header->action_base[column] + class;
	page = tyr_page(ref->pages, header->cell_page + word / TYR_PAGE_WORDS);
	if (!page)
		return -1;
	return page->word[word & (TYR_PAGE_WORDS - 1)];
}

/* The cell (TYR_CELL_*) of a class of resources of `action`, or -1 when the image has none. */
static __noinline long tyr_cell(struct tyr_image_ref *ref, __u32 profile, __u32 action,
				__u32 class)
{
	__u64 column = action;

	tyr_opaque(column);
	if (column >= TYR_ACTIONS)
		return -1;
	return tyr_cell_of(ref, profile, column, class);
}

/* The other end of a connection. */
struct tyr_endpoint {
	/* network order; IPv4, also mapped, in the first 4 bytes */
	__u8 address[16] __attribute__((aligned(8)));
	__u32 length;		/* 4 or 16; anything else is an address that no rule describes */
	__u16 port;		/* network order */
	__u16 protocol;		/* IPPROTO_* */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are walked from their lowest byte");

/* What follows the address in a net key. */
static __always_inline __u64 tyr_net_key_end(__u64 port, __u64 protocol)
{
	if (protocol > 255)
		protocol = protocol == TYR_PROTOCOL_MPTCP ? TYR_PROTOCOL_TCP : 255;
	return port | protocol << 16;
}

/* The whole net key of an IPv4 address and a port, both in network order. */
static __always_inline __u64 tyr_net_key4(__u64 address, __u64 port, __u64 protocol)
{
	return address | tyr_net_key_end(port, protocol) << 32;
}

/* The class of an IPv4 net key, or -1. */
static __always_inline long tyr_net_class4(struct tyr_image_ref *ref, __u64 key)
{
	struct tyr_net_walk walk;

	tyr_net_walk_begin(&walk, ref, ref->header->net_start4);
	tyr_net_walk_on(&walk, ref, key, 4 + 3);
	return tyr_net_walk_label(&walk);
}

/* The class of an IPv6 address, which is not a mapped one, and the `end` of its key; or -1. */
static __always_inline long tyr_net_class6(struct tyr_image_ref *ref, __u64 high, __u64 low,
					   __u64 end)
{
	struct tyr_net_walk walk;

	tyr_net_walk_begin(&walk, ref, ref->header->net_start6);
	tyr_net_walk_on(&walk, ref, high, 8);
	tyr_net_walk_on(&walk, ref, low, 8);
	tyr_net_walk_on(&walk, ref, end, 2 + 1);
	return tyr_net_walk_label(&walk);
}

/* The class of a connection's other end, or -1. `endpoint` may lie on the stack. */
static __noinline long tyr_net_class(struct tyr_image_ref *ref,
				     const struct tyr_endpoint *endpoint)
{
	__u64 port = endpoint->port, protocol = endpoint->protocol;
	__u64 half[2];

	__builtin_memcpy(half, endpoint->address, sizeof(half));
	if (endpoint->length == 4)
		return tyr_net_class4(ref, tyr_net_key4((__u32)half[0], port, protocol));
	if (endpoint->length == 16)
		return tyr_net_class6(ref, half[0], half[1], tyr_net_key_end(port, protocol));
	return ref->header->unknown_class[TYR_ACTION_NET_CONNECT];
}

#endif
