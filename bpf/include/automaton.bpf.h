/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk of bytes through the automata of a policy image.
 *
 * Include after <linux/bpf.h> (or a header with the same types) and <bpf/bpf_helpers.h>.
 * Works in LSM, fmod_ret, tracing, syscall and tc programs from Linux 5.17 (bpf_loop) on.
 *
 * A helper call for every byte costs four times as much as a plain loop, and a plain loop over a
 * whole path is more than verifiers accept. So bpf_loop drives runs of up to TYR_WALK_RUN bytes,
 * each a plain loop inside one page of rows. A run ends early where the next row is in another
 * page, which is rare: the writer keeps rows that follow one another together.
 */
#ifndef TYR_AUTOMATON_BPF_H
#define TYR_AUTOMATON_BPF_H

#include "event.h"
#include "image.h"

enum tyr_walk_limits {
	TYR_WALK_RUN = 64,
};

/*
 * Makes the compiler forget what it knows of a 64-bit index, so that the bound which is checked
 * next and the use that follows are of one register, as the verifier needs it.
 */
#define tyr_opaque(index) asm volatile("" : "+r"(index))

/*
 * A function that verifiers look at once in each program, knowing of its arguments only their types.
 * Static ones they look at again from every place that calls them, in every state that these can be
 * in: the walks, the records and the ways of a name would be most of the time that loading takes.
 * Pointers are to memory of the type they are declared with, and may be null as far as verifiers know.
 * Objects of the kernel are passed as plain addresses.
 */
#define TYR_GLOBAL __noinline

/* One generation of the image, held for one decision. Filled by tyr_image_open. */
struct tyr_image_ref {
	void *pages;
	struct tyr_image_header *header;
};

/*
 * State of a walk between runs. `at` and `state` lie where a store is not a register spill, so a
 * verifier forgets what it knew of them and finds every run after the second like the one before.
 */
struct tyr_walk {
	void *pages;
	struct tyr_columns *columns;
	const __u8 *buffer;
	__u32 end;
	__u32 at;
	__u32 fault;
	__u32 state;
};

static __always_inline struct tyr_page *tyr_page(void *pages, __u32 number)
{
	return bpf_map_lookup_elem(pages, &number);
}

/* Byte -> column. */
struct tyr_columns {
	__u8 of[256];
};

struct tyr_run_bytes {
	__u8 byte[TYR_WALK_RUN];
};

struct tyr_exe_bytes {
	__u8 byte[TYR_EXE_MAX];
};

/* Where a run came to: the state, and above it how many bytes it took. 0 is a fault. */
#define TYR_RUN_END(state, count) ((state) | (count) << 32)

/*
 * One run of at most `left` bytes from byte `at` of `bytes`, inside `page`. `mask` is a constant, the
 * number of bytes less one, a power of two, by which verifiers know that no index leaves them; 0 where
 * a run from their beginning has room. Numbers have 64 bits: for others the compiler adds
 * instructions for every byte.
 */
static __always_inline __u64 tyr_run(struct tyr_page *page, struct tyr_columns *columns,
				     const __u8 *bytes, __u64 state, __u64 at, __u64 left,
				     const __u64 mask)
{
	__u64 count = 0;

	if (left > TYR_WALK_RUN)
		left = TYR_WALK_RUN;
#pragma clang loop unroll(disable)
	do {
		__u64 index = mask ? (at + count) & mask : count;
		__u64 word = state + 1 + columns->of[bytes[index]];
		__u64 next = page->word[word & (TYR_PAGE_WORDS - 1)];
		__u64 change = next ^ state;

		state = next;
		count++;
		/* Another page, or the absorbing bit, which no state that is walked from has. */
		if (change >> TYR_STATE_PAGE_SHIFT)
			break;
	} while (count < left);
	/* Or a second count is kept, shifted already. */
	tyr_opaque(count);
	return TYR_RUN_END(state, count);
}

TYR_GLOBAL __u64 tyr_run_path(struct tyr_page *page, struct tyr_columns *columns,
			      struct tyr_run_bytes *bytes, __u64 state, __u64 left)
{
	if (!page || !columns || !bytes)
		return 0;
	return tyr_run(page, columns, bytes->byte, state, 0, left, 0);
}

/* The bytes from the lower half of `part` on, as many as its upper half says. */
TYR_GLOBAL __u64 tyr_run_exe(struct tyr_page *page, struct tyr_columns *columns,
			     struct tyr_exe_bytes *bytes, __u64 state, __u64 part)
{
	if (!page || !columns || !bytes)
		return 0;
	return tyr_run(page, columns, bytes->byte, state, (__u32)part, part >> 32, TYR_EXE_MAX - 1);
}

static __always_inline long tyr_walk_run(struct tyr_walk *walk, const int exe)
{
	__u64 state = walk->state, at = walk->at, left = walk->end - at, end;
	struct tyr_page *page;

	if (at >= walk->end || state & TYR_STATE_ABSORBING)
		return 1;
	page = tyr_page(walk->pages, state >> TYR_STATE_PAGE_SHIFT);
	if (!page) {
		walk->fault = 1;
		return 1;
	}
	tyr_opaque(at);
	if (exe)
		end = tyr_run_exe(page, walk->columns, (void *)walk->buffer, state, at | left << 32);
	else
		end = tyr_run_path(page, walk->columns,
				   (void *)(walk->buffer + (at & (TYR_PATH_MAX - 1))), state, left);
	if (!end)
		walk->fault = 1;
	walk->state = end;
	walk->at = at + (end >> 32);
	return !end || walk->at >= walk->end;
}

static long tyr_walk_path_run(__u32 index, struct tyr_walk *walk)
{
	return tyr_walk_run(walk, 0);
}

static long tyr_walk_exe_run(__u32 index, struct tyr_walk *walk)
{
	return tyr_walk_run(walk, 1);
}

/* The label of the row that `state` names, or -1. */
static __always_inline long tyr_label(void *pages, __u32 state)
{
	struct tyr_page *page;

	page = tyr_page(pages, (state >> TYR_STATE_PAGE_SHIFT) & TYR_STATE_PAGE_MASK);
	if (!page)
		return -1;
	return page->word[state & TYR_STATE_OFFSET_MASK];
}

/* Every run takes at least one byte, so as many runs as bytes are always enough. */
#define TYR_WALK_WITH(run, ref, classes, first, bytes, from, count) ({			\
	struct tyr_walk walk_ = {							\
		.pages = (ref)->pages,							\
		.columns = (void *)(classes),							\
		.buffer = (bytes),							\
		.at = (from),								\
		.end = (from) + (count),						\
		.state = (first),							\
	};										\
	long done_ = bpf_loop((count), run, &walk_, 0);					\
	done_ < 0 || walk_.fault ? -1 : tyr_label(walk_.pages, walk_.state);		\
})

/*
 * Walks `length` bytes of `buffer` from `offset` on, beginning in state `start`.
 * `buffer` must have TYR_PATH_MAX readable bytes, and TYR_WALK_RUN more that are not looked at;
 * offset + length may not pass the end of the former.
 * Returns the label that the last state has (0: nothing matched), or -1 when the arguments or the
 * image are faulty: deny then.
 */
static __noinline long tyr_walk_path(struct tyr_image_ref *ref, __u32 start,
				     const __u8 *buffer, __u32 offset, __u32 length)
{
	if (!start || offset > TYR_PATH_MAX || length > TYR_PATH_MAX - offset)
		return -1;
	return TYR_WALK_WITH(tyr_walk_path_run, ref, ref->header->path_class, start, buffer, offset,
			     length);
}

/* The state that a walk of a beginning of a path ends in, from which it can go on; 0 is a fault. */
static __noinline __u32 tyr_walk_above(struct tyr_image_ref *ref, __u32 start,
				       const __u8 *buffer, __u32 offset, __u32 length)
{
	struct tyr_walk walk = {
		.pages = ref->pages,
		.columns = (void *)ref->header->path_class,
		.buffer = buffer,
		.at = offset,
		.end = offset + length,
		.state = start,
	};

	if (!start || offset > TYR_PATH_MAX || length > TYR_PATH_MAX - offset)
		return 0;
	if (bpf_loop(length, tyr_walk_path_run, &walk, 0) < 0 || walk.fault)
		return 0;
	return walk.state;
}

/* tyr_walk_path for a buffer of TYR_EXE_MAX bytes, such as tyr_task.exe. */
static __noinline long tyr_walk_exe(struct tyr_image_ref *ref, __u32 start,
				    const __u8 *buffer, __u32 length)
{
	if (!start || length > TYR_EXE_MAX)
		return -1;
	return TYR_WALK_WITH(tyr_walk_exe_run, ref, ref->header->path_class, start, buffer, 0,
			     length);
}

/*
 * Where a walk of the address automaton is. A net key is short enough for a plain loop alone, in
 * which a page is looked up only where the walk comes to another one.
 */
struct tyr_net_walk {
	struct tyr_page *page;	/* of the row that `state` names; 0 is a fault */
	__u64 state;
};

static __always_inline void tyr_net_walk_begin(struct tyr_net_walk *walk,
					       struct tyr_image_ref *ref, __u64 state)
{
	walk->state = state;
	walk->page = 0;
	if (state)
		walk->page = tyr_page(ref->pages,
				      state >> TYR_STATE_PAGE_SHIFT & TYR_STATE_PAGE_MASK);
}

/* Goes on by the `count` lowest bytes of `bytes`, the lowest first. */
static __always_inline void tyr_net_walk_on(struct tyr_net_walk *walk, struct tyr_image_ref *ref,
					    __u64 bytes, const __u64 count)
{
	const __u8 *class_of = ref->header->net_class;
	struct tyr_page *page = walk->page;
	__u64 state = walk->state;

	if (!page || state & TYR_STATE_ABSORBING)
		return;
#pragma clang loop unroll(disable)
	for (__u64 at = 0; at < count; at++, bytes >>= 8) {
		__u64 word = state + 1 + class_of[bytes & 0xff];
		__u64 next = page->word[word & (TYR_PAGE_WORDS - 1)];
		__u64 change = (next ^ state) >> TYR_STATE_PAGE_SHIFT;

		state = next;
		if (!change)
			continue;
		/* Another page, or the absorbing bit, which no state that is walked from has. */
		if (change & TYR_STATE_PAGE_MASK)
			page = tyr_page(ref->pages,
					state >> TYR_STATE_PAGE_SHIFT & TYR_STATE_PAGE_MASK);
		if (!page || state & TYR_STATE_ABSORBING)
			break;
	}
	walk->page = page;
	walk->state = state;
}

/* The label of the row that the walk came to, or -1. */
static __always_inline long tyr_net_walk_label(struct tyr_net_walk *walk)
{
	if (!walk->page)
		return -1;
	return walk->page->word[walk->state & TYR_STATE_OFFSET_MASK];
}

#endif
