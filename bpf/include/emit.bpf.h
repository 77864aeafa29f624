/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records for user space. The verdict never depends on whether one could be written. */
#ifndef TYR_EMIT_BPF_H
#define TYR_EMIT_BPF_H

#include "path.bpf.h"
#include "task.bpf.h"
#include "verdict.bpf.h"

/* One operation under judgement; what is known of it is in `work`. No pointer is null. */
struct tyr_decision {
	struct tyr_task *task;
	struct tyr_scratch *work;
	struct tyr_image_ref image;
};

/* The innermost agent type of a session that may have no entry; 0: not known. */
static __always_inline __u32 tyr_innermost_type(struct tyr_session *session)
{
	__u32 count = session ? session->type_count : 0;

	return count ? session->type[(count - 1) & (TYR_SESSION_TYPES_MAX - 1)] : 0;
}

static __always_inline __u32 tyr_type_of(__u64 number)
{
	return tyr_innermost_type(bpf_map_lookup_elem(&sessions, &number));
}

/* The kernel fills the name up with zeroes. Read here, it costs a tenth of the helper's call. */
static __always_inline void tyr_comm_copy(__u8 *to, struct task_struct *thread)
{
	const void *from = __builtin_preserve_access_index(&thread->comm);
	__u64 first, second;

	asm("%0 = *(u64 *)(%1 + 0)" : "=r"(first) : "r"(from));
	asm("%0 = *(u64 *)(%1 + 8)" : "=r"(second) : "r"(from));
	to = __builtin_assume_aligned(to, 4);
	__builtin_memcpy(to, &first, sizeof(first));
	__builtin_memcpy(to + sizeof(first), &second, sizeof(second));
}

static __always_inline void tyr_header_fill(struct tyr_event_header *header, __u32 kind,
					    __u32 length, struct tyr_task *task, __u64 number)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 ids = bpf_get_current_pid_tgid();
	const struct cred *owner = current->cred;

	header->kind = kind;
	header->length = length;
	header->boot_ns = bpf_ktime_get_boot_ns();
	header->session = number;
	header->start_boot_ns = current->group_leader->start_boottime;
	header->exec_boot_ns = task->exec_boot_ns;
	header->cgroup_id = bpf_get_current_cgroup_id();
	header->tgid = ids >> 32;
	header->tid = (__u32)ids;
	header->parent_tgid = current->real_parent->tgid;
	header->uid = owner->uid.val;
	header->gid = owner->gid.val;
	tyr_comm_copy(header->comm, current);
}

static __always_inline void tyr_count_event(long error)
{
	tyr_count(error ? TYR_COUNT_EVENTS_LOST : TYR_COUNT_EVENTS);
}

/* Not inlined: its argument is how the record's type gets into the skeleton. */
static __noinline int tyr_record_fill(struct tyr_operation *record, struct tyr_scratch *work,
				      struct tyr_task *task, __u32 generation)
{
	tyr_header_fill(&record->header, TYR_EVENT_OPERATION, 0, task, work->number);
	record->header.generation = generation;
	record->action = work->action;
	record->verdict = work->cell & TYR_CELL_VERDICT_MASK;
	record->cell = work->cell;
	record->reason = work->reason;
	record->hook = work->hook;
	record->own_rule = work->reason == TYR_REASON_SELF ? work->own_rule : 0;
	record->agent_type = task->profile_epoch ? task->agent_type : tyr_type_of(work->number);
	record->exe_dev = task->exe_dev;
	record->dev = work->place.dev;
	record->ino = work->place.ino;
	__builtin_memcpy(record->address, work->endpoint.address, sizeof(record->address));
	record->address_len = work->endpoint.length;
	record->port = __builtin_bswap16(work->endpoint.port);
	record->protocol = work->endpoint.protocol;
	__builtin_memset(record->reserved, 0, sizeof(record->reserved));
	return 0;
}

struct tyr_writing {
	struct tyr_scratch *work;
	struct bpf_dynptr *space;
	__u32 to;
	__u32 from;
	__u32 left;
	__u32 pad;
};

/* One piece of the path: as much as may be read behind it. */
static long tyr_write_path_step(__u32 index, struct tyr_writing *writing)
{
	__u64 size = writing->left;

	tyr_opaque(size);
	if (size > TYR_PATH_SLACK)
		size = TYR_PATH_SLACK;
	bpf_dynptr_write(writing->space, writing->to,
			 writing->work->path + (writing->from & (TYR_PATH_MAX - 1)), size, 0);
	writing->to += size;
	writing->from += size;
	writing->left -= size;
	return !writing->left;
}

/* The record is written where it stays, field by field: every field, so that nothing leaks. */
TYR_GLOBAL int tyr_emit_operation(struct tyr_scratch *work, struct tyr_task *task, __u32 generation)
{
	__u32 path_length, exe_length;
	struct tyr_operation *record;
	struct tyr_writing writing;
	struct bpf_dynptr space;
	long error;

	if (!work || !task)
		return 0;
	path_length = work->place.length;
	exe_length = task->exe_len;
	if (path_length > TYR_PATH_MAX)
		path_length = TYR_PATH_MAX;
	if (exe_length > TYR_EXE_MAX)
		exe_length = TYR_EXE_MAX;
	error = bpf_ringbuf_reserve_dynptr(&events, sizeof(*record) + path_length + exe_length, 0,
					   &space);
	record = bpf_dynptr_data(&space, 0, sizeof(*record));
	if (!record) {
		bpf_ringbuf_discard_dynptr(&space, 0);
		tyr_count_event(error ? error : -1);
		return 0;
	}
	tyr_record_fill(record, work, task, generation);
	record->header.length = sizeof(*record) + path_length + exe_length;
	record->path_len = path_length;
	record->exe_len = exe_length;
	writing.work = work;
	writing.space = &space;
	writing.to = sizeof(*record);
	writing.from = work->place.offset;
	writing.left = path_length;
	if (path_length <= TYR_PATH_SLACK)
		tyr_write_path_step(0, &writing);
	else
		bpf_loop(TYR_PATH_MAX / TYR_PATH_SLACK, tyr_write_path_step, &writing, 0);
	bpf_dynptr_write(&space, sizeof(*record) + path_length, task->exe, exe_length, 0);
	bpf_ringbuf_submit_dynptr(&space, 0);
	tyr_count_event(0);
	return 0;
}

/* `length` bytes of `path` go with the record; both are those of `task` or of a tyr_seen. */
TYR_GLOBAL int tyr_emit_process(struct tyr_process *record, struct tyr_task *task, __u64 number,
				__u32 kind, struct tyr_exe_bytes *path)
{
	__u32 length;
	struct bpf_dynptr space;
	long error;

	if (!record || !task || !path)
		return 0;
	length = record->path_len;
	if (length > TYR_EXE_MAX)
		length = TYR_EXE_MAX;
	tyr_header_fill(&record->header, kind, sizeof(*record) + length, task, number);
	record->header.generation = task->generation;
	record->agent_type = tyr_type_of(number);
	record->flags = task->flags;
	record->path_len = length;
	error = bpf_ringbuf_reserve_dynptr(&events, sizeof(*record) + length, 0, &space);
	if (!error) {
		bpf_dynptr_write(&space, 0, record, sizeof(*record), 0);
		bpf_dynptr_write(&space, sizeof(*record), path->byte, length, 0);
	}
	bpf_ringbuf_submit_dynptr(&space, 0);
	tyr_count_event(error);
	return 0;
}

/* About the program that the task runs. */
static __always_inline void tyr_emit_program(struct tyr_process *record, struct tyr_task *task,
					     __u64 number, __u32 kind)
{
	record->dev = task->exe_dev;
	record->ino = task->exe_ino;
	record->path_len = task->exe_len;
	tyr_emit_process(record, task, number, kind, (void *)task->exe);
}

#endif
