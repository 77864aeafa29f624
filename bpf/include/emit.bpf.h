/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records for user space. The verdict never depends on whether one could be written. */
#ifndef TYR_EMIT_BPF_H
#define TYR_EMIT_BPF_H

#include "path.bpf.h"
#include "task.bpf.h"
#include "verdict.bpf.h"

/* One operation under judgement. */
struct tyr_decision {
	struct tyr_task *task;
	struct tyr_session *session;	/* null: governed by the unknown slot */
	__u64 number;			/* of the session */
	struct tyr_image_ref image;
	__u32 action;
	__u32 hook;
	__u32 cell;
	__u32 reason;
};

static __always_inline __u32 tyr_innermost_type(struct tyr_session *session)
{
	if (!session || !session->type_count)
		return 0;
	return session->type[(session->type_count - 1) & (TYR_SESSION_TYPES_MAX - 1)];
}

static __always_inline void tyr_header_fill(struct tyr_event_header *header, __u32 kind,
					    __u32 length, struct tyr_task *task, __u64 number)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 ids = bpf_get_current_pid_tgid();
	__u64 owner = bpf_get_current_uid_gid();

	header->kind = kind;
	header->length = length;
	header->boot_ns = bpf_ktime_get_boot_ns();
	header->session = number;
	header->start_boot_ns = BPF_CORE_READ(current, group_leader, start_boottime);
	header->exec_boot_ns = task->exec_boot_ns;
	header->cgroup_id = bpf_get_current_cgroup_id();
	header->tgid = ids >> 32;
	header->tid = (__u32)ids;
	header->parent_tgid = BPF_CORE_READ(current, real_parent, tgid);
	header->uid = (__u32)owner;
	header->gid = owner >> 32;
	bpf_get_current_comm(header->comm, sizeof(header->comm));
}

static __always_inline void tyr_count_event(long error)
{
	tyr_count(error ? TYR_COUNT_EVENTS_LOST : TYR_COUNT_EVENTS);
}

/* Everything but the lengths, which the caller checks. */
static __noinline int tyr_record_fill(struct tyr_decision *decision, struct tyr_operation *record,
				      struct tyr_place *place, struct tyr_endpoint *endpoint)
{
	struct tyr_task *task = decision->task;

	__builtin_memset(record, 0, sizeof(*record));
	tyr_header_fill(&record->header, TYR_EVENT_OPERATION, 0, task, decision->number);
	if (decision->image.header)
		record->header.generation = decision->image.header->generation;
	record->action = decision->action;
	record->verdict = decision->cell & TYR_CELL_VERDICT_MASK;
	record->cell = decision->cell;
	record->reason = decision->reason;
	record->hook = decision->hook;
	record->agent_type = tyr_innermost_type(decision->session);
	record->exe_dev = task->exe_dev;
	if (place) {
		record->dev = place->dev;
		record->ino = place->ino;
	}
	if (endpoint) {
		__builtin_memcpy(record->address, endpoint->address, sizeof(record->address));
		record->address_len = endpoint->length;
		record->port = endpoint->port;
		record->protocol = endpoint->protocol;
	}
	return 0;
}

/* `place` and `endpoint` may be null; a place's path is in `work`. */
static __noinline int tyr_emit_operation(struct tyr_decision *decision, struct tyr_scratch *work,
					 struct tyr_place *place, struct tyr_endpoint *endpoint)
{
	struct tyr_task *task = decision->task;
	__u32 offset = 0, path_length = 0, exe_length = task->exe_len;
	struct bpf_dynptr space;
	long error;

	if (!work) {
		tyr_count(TYR_COUNT_EVENTS_LOST);
		return 0;
	}
	if (place) {
		path_length = place->length;
		offset = place->offset & (TYR_PATH_MAX - 1);
	}
	if (path_length > TYR_PATH_MAX)
		path_length = TYR_PATH_MAX;
	if (exe_length > TYR_EXE_MAX)
		exe_length = TYR_EXE_MAX;
	tyr_record_fill(decision, &work->record, place, endpoint);
	work->record.header.length = sizeof(work->record) + path_length + exe_length;
	work->record.path_len = path_length;
	work->record.exe_len = exe_length;
	error = bpf_ringbuf_reserve_dynptr(&events,
					   sizeof(work->record) + path_length + exe_length, 0,
					   &space);
	if (!error) {
		bpf_dynptr_write(&space, 0, &work->record, sizeof(work->record), 0);
		bpf_dynptr_write(&space, sizeof(work->record), work->path + offset, path_length, 0);
		bpf_dynptr_write(&space, sizeof(work->record) + path_length, task->exe, exe_length,
				 0);
	}
	bpf_ringbuf_submit_dynptr(&space, 0);
	tyr_count_event(error);
	return 0;
}

static __noinline int tyr_emit_process(struct tyr_task *task, __u64 number, __u32 kind,
				       struct tyr_seen *seen)
{
	struct tyr_session *session = bpf_map_lookup_elem(&sessions, &number);
	struct tyr_process record = {};
	struct bpf_dynptr space;
	__u32 length = 0;
	long error;

	if (seen) {
		length = seen->length;
		record.dev = seen->dev;
		record.ino = seen->ino;
	} else {
		length = task->exe_len;
		record.dev = task->exe_dev;
		record.ino = task->exe_ino;
	}
	if (length > TYR_EXE_MAX)
		length = TYR_EXE_MAX;
	tyr_header_fill(&record.header, kind, sizeof(record) + length, task, number);
	record.agent_type = tyr_innermost_type(session);
	record.flags = task->flags;
	record.path_len = length;
	error = bpf_ringbuf_reserve_dynptr(&events, sizeof(record) + length, 0, &space);
	if (!error) {
		bpf_dynptr_write(&space, 0, &record, sizeof(record), 0);
		if (seen)
			bpf_dynptr_write(&space, sizeof(record), seen->path, length, 0);
		else
			bpf_dynptr_write(&space, sizeof(record), task->exe, length, 0);
	}
	bpf_ringbuf_submit_dynptr(&space, 0);
	tyr_count_event(error);
	return 0;
}

#endif
