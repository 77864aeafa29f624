/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decision without a hook: questions come from a map and are answered under
 * BPF_PROG_TEST_RUN, by the code that the LSM programs include. It attaches to nothing.
 *
 * Used by `tyr policy test --engine kernel`, by the test that holds kernel and evaluator to the
 * same answer, and by the benchmark.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "verdict.bpf.h"

enum tyr_question_limits {
	TYR_QUESTIONS_MAX = 256,
};

/* One operation. Lengths above TYR_PATH_MAX stand for a path that is too long. */
struct tyr_question {
	__u32 slot;
	__u32 action;		/* enum tyr_action */
	__u32 exe_dev;		/* 0: exe is an absolute path of the host */
	__u32 exe_length;
	__u32 dev;		/* the same for path */
	__u32 path_length;
	struct tyr_endpoint endpoint;
	__u8 exe[TYR_PATH_MAX];
	__u8 path[TYR_PATH_MAX];
	__u8 slack[TYR_WALK_RUN];
};

struct tyr_answer {
	__s32 fault;		/* not 0: the rest is void */
	__u32 exe_class;
	__u32 class;
	__u32 cell;
	__u32 generation;
	__u32 signature;	/* label of exe from SIGNATURE_EXE */
	__u32 opened;		/* label of path from SIGNATURE_OPEN, 0 for addresses */
};

struct tyr_decide_context {
	__u32 count;		/* questions to answer, from the first */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYR_QUESTIONS_MAX);
	__type(key, __u32);
	__type(value, struct tyr_question);
} questions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYR_QUESTIONS_MAX);
	__type(key, __u32);
	__type(value, struct tyr_answer);
} answers SEC(".maps");

/* A path of a question. */
struct subject {
	const __u8 *path;	/* TYR_PATH_MAX readable bytes, and the slack of a walk */
	__u32 dev;
	__u32 length;
	__u32 unknown;		/* label of a path that is too long or not settled */
};

static __noinline long label_of(struct tyr_image_ref *ref, __u32 kind, struct subject *subject)
{
	__u64 column = kind;
	__u32 start;

	tyr_opaque(column);
	if (column >= TYR_PATH_KINDS)
		return -1;
	if (subject->length > TYR_PATH_MAX)
		return subject->unknown;
	if (!subject->dev)
		start = ref->header->path_start[column];
	else
		start = tyr_superblock_start(ref->header, subject->dev, kind);
	if (!start)
		return subject->unknown;
	return tyr_walk_path(ref, start, subject->path, 0, subject->length);
}

/* Not inlined: its argument is how the header's type gets into the skeleton. */
static __noinline __u32 unknown_class(const struct tyr_image_header *header, __u64 action)
{
	tyr_opaque(action);
	return action < TYR_ACTIONS ? header->unknown_class[action] : 0;
}

static __always_inline long class_of(struct tyr_image_ref *ref, struct tyr_question *question)
{
	struct subject path = { question->path, question->dev, question->path_length, 0 };
	__u64 action = question->action;

	tyr_opaque(action);
	if (action >= TYR_ACTIONS)
		return -1;
	if (action == TYR_ACTION_NET_CONNECT)
		return tyr_net_class(ref, &question->endpoint);
	if (action == TYR_ACTION_TLS_CONNECT)
		return unknown_class(ref->header, action);
	path.unknown = unknown_class(ref->header, action);
	return label_of(ref, action, &path);
}

static __always_inline long answer_with(struct tyr_image_ref *ref, struct tyr_question *question,
					struct tyr_answer *answer)
{
	struct subject exe = { question->exe, question->exe_dev, question->exe_length, 0 };
	struct subject path = { question->path, question->dev, question->path_length, 0 };
	long exe_class, class, cell, signature, opened = 0;

	exe.unknown = ref->header->unknown_exe_class;
	exe_class = label_of(ref, TYR_PATH_BINARY, &exe);
	if (exe_class < 0)
		return -1;
	class = class_of(ref, question);
	if (class < 0)
		return -1;
	cell = tyr_cell(ref, tyr_profile(ref, question->slot, exe_class), question->action, class);
	if (cell < 0)
		return -1;
	exe.unknown = 0;
	signature = label_of(ref, TYR_PATH_SIGNATURE_EXE, &exe);
	if (question->action <= TYR_ACTION_EXEC)
		opened = label_of(ref, TYR_PATH_SIGNATURE_OPEN, &path);
	if (signature < 0 || opened < 0)
		return -1;
	answer->exe_class = exe_class;
	answer->class = class;
	answer->cell = cell;
	answer->signature = signature;
	answer->opened = opened;
	answer->generation = ref->header->generation;
	return 0;
}

static long answer_question(__u32 index, void *context)
{
	struct tyr_image_ref ref;
	struct tyr_question *question;
	struct tyr_answer *answer;

	question = bpf_map_lookup_elem(&questions, &index);
	answer = bpf_map_lookup_elem(&answers, &index);
	if (!question || !answer)
		return 1;
	answer->fault = tyr_image_open(&ref) ? -1 : answer_with(&ref, question, answer);
	return 0;
}

SEC("syscall")
int decide(struct tyr_decide_context *context)
{
	__u32 count = context->count;

	if (count > TYR_QUESTIONS_MAX)
		return -1;
	return bpf_loop(count, answer_question, NULL, 0) == count ? 0 : -1;
}

/* One decision as a hook makes it: executable class known, path or address in memory. */
SEC("tc")
int decide_one(struct __sk_buff *skb)
{
	struct tyr_image_ref ref;
	struct tyr_question *question;
	struct tyr_answer *answer;
	__u32 zero = 0;
	long class, cell;

	question = bpf_map_lookup_elem(&questions, &zero);
	answer = bpf_map_lookup_elem(&answers, &zero);
	if (!question || !answer || tyr_image_open(&ref))
		return TC_ACT_SHOT;
	class = class_of(&ref, question);
	if (class < 0)
		return TC_ACT_SHOT;
	cell = tyr_cell(&ref, tyr_profile(&ref, question->slot, answer->exe_class),
			question->action, class);
	if (cell < 0)
		return TC_ACT_SHOT;
	answer->class = class;
	answer->cell = cell;
	return TC_ACT_OK;
}

/* What BPF_PROG_TEST_RUN itself costs. */
SEC("tc")
int decide_nothing(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
