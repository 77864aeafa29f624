/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who acts: the identity of a thread, and the session that governs it. */
#ifndef TYR_TASK_BPF_H
#define TYR_TASK_BPF_H

#include "maps.bpf.h"

enum tyr_storage_limits {
	/* Task storage is locked per CPU, and its free list is refilled by an interrupt. */
	TYR_STORAGE_TRIES = 4,
	TYR_STORAGE_ABSENT = 2,	/* answers in a row that say: no identity */
};

enum tyr_who_result {
	TYR_WHO_NONE = 0,	/* not Tyr's business */
	TYR_WHO_KNOWN = 1,
	TYR_WHO_FAULT = 2,	/* cannot be told: deny */
};

/*
 * The identity of a thread. Until 6.3 a lookup fails while another one is under way on the same
 * CPU, which looks like a thread without identity. A delete tells the two apart: it answers
 * -EBUSY instead. Threads that no BPF program stored anything for end at the first test.
 */
static __always_inline struct tyr_task *tyr_task_find(struct task_struct *thread, __u32 *result)
{
	struct tyr_task *task;
	__u32 absent = 0;

	*result = TYR_WHO_NONE;
	if (!thread->bpf_storage)
		return 0;
	task = bpf_task_storage_get(&tasks, thread, 0, 0);
	if (task) {
		*result = TYR_WHO_KNOWN;
		return task;
	}
	for (int attempt = 0; attempt < TYR_STORAGE_TRIES; attempt++) {
		if (bpf_task_storage_delete(&storage_probe, thread) == -EBUSY) {
			absent = 0;
			continue;
		}
		task = bpf_task_storage_get(&tasks, thread, 0, 0);
		if (task) {
			*result = TYR_WHO_KNOWN;
			return task;
		}
		/* It may have become busy in between: one answer alone is not believed. */
		if (++absent == TYR_STORAGE_ABSENT)
			return 0;
	}
	*result = TYR_WHO_FAULT;
	tyr_count(TYR_COUNT_FAULTS);
	return 0;
}

static __always_inline struct tyr_scratch *tyr_scratch_get(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_scratch *work;

	for (int attempt = 0; attempt < TYR_STORAGE_TRIES; attempt++) {
		work = bpf_task_storage_get(&scratch, current, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (work)
			return work;
	}
	return 0;
}

/*
 * The session that governs a thread: the candidate once it has an entry, else the session it was
 * born into. Returns its number, 0 when no session does.
 */
static __always_inline __u64 tyr_session_of(struct tyr_task *task, struct tyr_session **session)
{
	__u64 number = task->candidate;

	*session = 0;
	if (number) {
		*session = bpf_map_lookup_elem(&sessions, &number);
		if (*session) {
			task->session = number;
			task->candidate = 0;
			task->flags |= TYR_TASK_AGENT;
			return number;
		}
	}
	number = task->session;
	if (!number)
		return 0;
	*session = bpf_map_lookup_elem(&sessions, &number);
	if (*session)
		task->flags |= TYR_TASK_AGENT;
	return task->flags & TYR_TASK_AGENT ? number : 0;
}

/* Numbers are never used twice while the map lives; user space sets the first. 0 on failure. */
static __always_inline __u64 tyr_session_number(void)
{
	__u32 zero = 0;
	__u64 *next = bpf_map_lookup_elem(&next_session, &zero);

	return next ? __sync_fetch_and_add(next, 1) + 1 : 0;
}

/* Whether agents are recognised where the current task runs. */
static __always_inline int tyr_in_scope(void)
{
	__u32 zero = 0;
	struct tyr_config *settings = bpf_map_lookup_elem(&config, &zero);

	if (!settings || !settings->scope_cgroup)
		return 1;
	return bpf_get_current_ancestor_cgroup_id(settings->scope_level) == settings->scope_cgroup;
}

/*
 * Makes the entry of session `number`: the types of the session around it, then its own.
 * Returns 1 when the entry was made, 0 when it was there already, -1 when there is no room.
 */
TYR_GLOBAL int tyr_session_make(__u64 number, __u64 parent_number, __u32 type)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tyr_session entry = {};
	struct tyr_session *parent = 0;
	long error;

	if (parent_number)
		parent = bpf_map_lookup_elem(&sessions, &parent_number);
	if (parent) {
		__u32 count = parent->type_count;

		/* With no room left the outermost agents stay: their rules were there first. */
		if (count > TYR_SESSION_TYPES_MAX - 1)
			count = TYR_SESSION_TYPES_MAX - 1;
		__builtin_memcpy(entry.type, parent->type, sizeof(entry.type));
		for (__u32 i = 1; i < TYR_SESSION_TYPES_MAX; i++)
			if (i == count)
				entry.type[i] = type;
		entry.type_count = count + 1;
		entry.parent = parent_number;
	} else {
		entry.type[0] = type;
		entry.type_count = 1;
	}
	entry.root_tgid = current->tgid;
	entry.root_start_boot_ns = current->group_leader->start_boottime;
	error = bpf_map_update_elem(&sessions, &number, &entry, BPF_NOEXIST);
	if (!error) {
		tyr_session_changed();
		tyr_count(TYR_COUNT_AGENTS);
		return 1;
	}
	if (bpf_map_lookup_elem(&sessions, &number))
		return 0;
	tyr_count(TYR_COUNT_SESSIONS_FULL);
	return -1;
}

static __always_inline int tyr_session_has(struct tyr_session *session, __u32 type)
{
	for (int i = 0; i < TYR_SESSION_TYPES_MAX; i++)
		if (session->type[i] == type)
			return 1;
	return 0;
}

#endif
