/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy image: everything the kernel needs to decide, as one array map of pages.
 *
 * This header is the only definition. The skeleton generator turns it into Rust;
 * src/kernel/image.rs writes what include/automaton.bpf.h and include/verdict.bpf.h read.
 *
 * An image is written whole and never changed afterwards. One update of the outer map-in-map
 * `image` puts the next generation in force, so an operation is decided by one generation and
 * never by a mixture of two.
 *
 * Page 0 begins with `struct tyr_image_header`. The remaining pages hold automaton rows and the
 * verdict cells. A page is the value of one array element; a word is 32 bits in host byte order.
 */
#ifndef TYR_IMAGE_H
#define TYR_IMAGE_H

enum tyr_image_limits {
	TYR_IMAGE_MAGIC = 0x52595431,	/* "1TYR" */
	TYR_IMAGE_ABI = 1,		/* raised when this header changes meaning */
	TYR_PAGE_WORDS = 65536,		/* 256 KiB: an automaton row never crosses a page */
	TYR_AGENT_TYPES_MAX = 1024,	/* agent type numbers, 0 means none */
	TYR_SUPERBLOCKS_MAX = 2048,	/* slots of the open-addressing table below, power of two */
	TYR_SUPERBLOCK_PROBES_MAX = 64,	/* an entry is at most this many slots behind its hash */
	TYR_SUPERBLOCK_HASH_SHIFT = 21,	/* 32 less the bits of TYR_SUPERBLOCKS_MAX */
};

/* Home slot of a file system: dev * TYR_SUPERBLOCK_HASH >> TYR_SUPERBLOCK_HASH_SHIFT, in 32 bits. */
#define TYR_SUPERBLOCK_HASH 0x9e3779b1u

struct tyr_page {
	__u32 word[TYR_PAGE_WORDS];
};

/*
 * What a path is asked for. Each kind has its own start state in the path automaton; what its
 * accepting label means differs:
 *  - FILE_READ, FILE_WRITE, EXEC: the resource class of that action;
 *  - BINARY: the executable class, which selects the column of a profile;
 *  - SIGNATURE_EXE: agent type in the low 16 bits, TYR_SIGNATURE_* flags above;
 *  - SIGNATURE_OPEN: agent type that an interpreter becomes by opening or running this file.
 */
enum tyr_path_kind {
	TYR_PATH_FILE_READ = 0,
	TYR_PATH_FILE_WRITE = 1,
	TYR_PATH_EXEC = 2,
	TYR_PATH_BINARY = 3,
	TYR_PATH_SIGNATURE_EXE = 4,
	TYR_PATH_SIGNATURE_OPEN = 5,
	TYR_PATH_KINDS = 6,
};

enum tyr_signature_label {
	TYR_SIGNATURE_TYPE_MASK = 0xffff,
	TYR_SIGNATURE_INTERPRETER = 1 << 16,	/* its opens and scripts are walked as SIGNATURE_OPEN */
};

/* Order and values are those of `Action` in src/model/action.rs. */
enum tyr_action {
	TYR_ACTION_FILE_READ = 0,
	TYR_ACTION_FILE_WRITE = 1,
	TYR_ACTION_EXEC = 2,
	TYR_ACTION_NET_CONNECT = 3,
	TYR_ACTION_TLS_CONNECT = 4,
	TYR_ACTIONS = 5,
};

/*
 * A state is the address of its row: page number in bits 16..30, word offset in bits 0..15.
 * Bit 31 marks a state that no byte leaves: the walk may stop there.
 * Row: word 0 is the label (0: nothing matched), word 1 + class is the next state.
 */
enum tyr_state {
	TYR_STATE_ABSORBING = 0x80000000,
	TYR_STATE_PAGE_SHIFT = 16,
	TYR_STATE_PAGE_MASK = 0x7fff,
	TYR_STATE_OFFSET_MASK = 0xffff,
};

/*
 * A cell: what happens to one resource class of one action for one profile.
 * Word index of a cell: profile * row_words + action_base[action] + class,
 * counted from the first word of page `cell_page`.
 */
enum tyr_cell {
	TYR_CELL_VERDICT_MASK = 0x3,	/* enum tyr_verdict */
	TYR_CELL_MONITORED = 0x4,	/* the verdict is reported and not enforced */
	TYR_CELL_MATCHED = 0x8,		/* some rule matched; unset: the default */
	TYR_CELL_SILENT = 0x10,		/* no event */
};

enum tyr_verdict {
	TYR_VERDICT_ALLOW = 0,
	TYR_VERDICT_ALERT = 1,
	TYR_VERDICT_DENY = 2,
};

/*
 * A net key: the address in network order, the port in network order, one byte of protocol
 * (IPPROTO_*; MPTCP is TCP, what does not fit is 255). Where rules ask for no port the walk ends in
 * an absorbing state behind the address.
 */
enum tyr_protocol {
	TYR_PROTOCOL_TCP = 6,
	TYR_PROTOCOL_UDP = 17,
	TYR_PROTOCOL_MPTCP = 262,
};

/*
 * How paths on one file system join the host's mount table: the state that the automaton is in
 * after the mount point. A file system with several mounts, or a mount of a subtree only, gets a
 * start state built for it. dev 0: free slot. A file system that is not listed has no settled
 * path.
 */
struct tyr_superblock {
	__u32 dev;			/* super_block.s_dev, kernel encoding */
	__u32 start[TYR_PATH_KINDS];
};

struct tyr_image_header {
	__u32 magic;
	__u32 abi;
	__u32 generation;		/* never 0 */
	__u32 pages;
	__u32 cell_page;		/* first page of the verdict cells */
	__u32 row_words;		/* cells of one profile */
	__u32 profiles;
	__u32 action_base[TYR_ACTIONS];
	__u32 class_count[TYR_ACTIONS];
	__u32 unknown_class[TYR_ACTIONS];	/* path too long or not settled, address not understood */
	/* profile = slot * exe_classes + exe class */
	__u32 slots;
	__u32 exe_classes;
	__u32 unknown_exe_class;	/* executable path too long to keep, or not settled */
	__u32 unknown_slot;		/* session known to be an agent's, its type not */
	__u32 path_start[TYR_PATH_KINDS];	/* for an absolute path of the host */
	__u32 net_start4;		/* a net key that begins with 4 address bytes */
	__u32 net_start6;		/* a net key that begins with 16 */
	__u32 superblock_count;
	__u8 path_class[256];		/* byte -> column, path automaton */
	__u8 net_class[256];		/* byte -> column, address automaton */
	__u32 type_slot[TYR_AGENT_TYPES_MAX];	/* agent type -> slot before the session is refined */
	struct tyr_superblock superblock[TYR_SUPERBLOCKS_MAX];	/* home slot, then linear */
};

_Static_assert(sizeof(struct tyr_image_header) <= sizeof(struct tyr_page), "the header fits page 0");
_Static_assert((TYR_SUPERBLOCKS_MAX & (TYR_SUPERBLOCKS_MAX - 1)) == 0, "the table is masked");

#endif
