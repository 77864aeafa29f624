/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps that the hooks share. All are pinned with the programs, so that they outlive the daemon.
 * The policy image, `image`, is declared in automaton.bpf.h.
 */
#ifndef TYR_MAPS_BPF_H
#define TYR_MAPS_BPF_H

#include "event.h"
#include "kernel.h"
#include "verdict.bpf.h"

enum tyr_scratch_sizes {
	/* One piece that is read or written at any place of the path may reach behind its end. */
	TYR_PATH_SLACK = NAME_BYTES_MAX + 1,
	TYR_SCRATCH_BYTES = TYR_PATH_MAX + TYR_PATH_SLACK,
};

/* A file that an exec has come across. */
struct tyr_seen {
	__u32 dev;
	__u32 length;
	__u64 ino;
	__u32 flags;			/* TYR_TASK_EXE_* and TYR_TASK_LOADER */
	__u32 reserved;
	__u8 path[TYR_EXE_MAX];
};

/* Where an object is; path.bpf.h settles it. */
struct tyr_place {
	__u32 outcome;			/* enum tyr_path_outcome */
	__u32 dev;
	__u64 ino;
	__u32 offset;			/* of the path in tyr_scratch.path */
	__u32 length;
	__u32 names;			/* hard links of a file; 0 for a directory */
	__u32 sequence;			/* of rename_lock during the whole walk */
	__u32 leaf;			/* bytes of the last name and its slash, where what is before them is remembered */
	__u32 above;			/* automaton state before these; 0: not known */
	__u64 sb;			/* address of the super block */
};

/* What rules see in a name, for one action. */
struct tyr_sight {
	__u32 class;
	__u32 below;			/* automaton state of the names below; 0: not settled */
};

struct tyr_sights {
	struct tyr_sight action[TYR_ACTION_EXEC + 1];
};

enum tyr_profile_count {
	TYR_PROFILE_FAULT = 0,
	TYR_PROFILE_ONE = 1,	/* `profile` */
	TYR_PROFILE_SEVERAL = 2,	/* one for each type of the session */
};

/*
 * Work space of one thread while a hook runs, and what an exec has shown so far. Never per CPU:
 * the programs can be preempted, and the preempting task would write into the same memory.
 *
 * All that is computed is kept here, also where a stack had room: verifiers follow every value
 * that a stack slot can have, and none that a map has. The one of 6.1 moreover takes a constant in
 * a variable for that of other ways to the same place, and leaves out branches that those take: no
 * verdict may hang on one.
 */
struct tyr_scratch {
	struct tyr_seen program;	/* latest program of the #! chain */
	struct tyr_seen evidence;	/* file that shows an agent */
	__u32 label;			/* SIGNATURE_EXE label of `program` */
	__u32 type;			/* agent type that a script of the chain stands for */
	__u32 checked;			/* an exec is past its check; what it opens is an interpreter */
	__u32 interpreted;		/* the program that was checked last has one */

	__u64 number;			/* of the session that governs */
	__u32 profile;
	__u32 profiles;			/* enum tyr_profile_count */
	__u32 exe_class;
	__u32 action;
	__u32 hook;
	__u32 cell;
	__u32 reason;
	__u32 own_rule;			/* enum tyr_own_rule, with TYR_REASON_SELF */
	__u32 kind;			/* enum tyr_guard_kind of the file */
	__u32 by_folder;		/* its directory may be remembered */
	__u64 dentry;			/* addresses, for functions that are TYR_GLOBAL */
	__u64 inode;
	struct tyr_place place;
	struct tyr_endpoint endpoint;
	struct tyr_sights from;
	struct tyr_sights to;
	struct tyr_link_key link_key;
	struct tyr_link link;

	struct tyr_process process;
	__u8 path[TYR_SCRATCH_BYTES];	/* the path ends at TYR_PATH_MAX */
};

/* Identity of every governed thread. Writers: task_alloc, exec, the tagging iterator. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tyr_task);
} tasks SEC(".maps");

/* Work space; made when a hook first needs it on a thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tyr_scratch);
} scratch SEC(".maps");

/* Never holds anything: asking it to forget a task tells whether task storage is busy. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} storage_probe SEC(".maps");

/*
 * Sessions that are agents, by number. Writers: exec and file_open hooks make entries, user space
 * refines and removes them. When it is full a new agent is governed by the unknown slot.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_SESSIONS_MAX);
	__type(key, __u64);
	__type(value, struct tyr_session);
} sessions SEC(".maps");

/* The number of the next session. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} next_session SEC(".maps");

/*
 * How often entries of `sessions` and the image in force changed. What was worked out from them is
 * kept with the sum and holds no longer than it; so every writer counts after it has written, and
 * every reader reads the sum before them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TYR_CHANGES);
	__type(key, __u32);
	__type(value, __u64);
} session_changes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tyr_config);
} config SEC(".maps");

/*
 * Mount namespaces by inode in nsfs -> enum tyr_namespace; whoever writes first has it. User space
 * writes and removes those it believes, hooks those that a governed task mounted in.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_NAMESPACES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} namespaces SEC(".maps");

/*
 * Super blocks, by address, that a governed task mounted and no other can have filled; see
 * private.bpf.h. Writers: sb_kern_mount makes entries, sb_free removes them with the super block.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_PRIVATE_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u32);
} private_mounts SEC(".maps");

/*
 * Names of files that have several, where rules see something in them; see links.bpf.h. Writers:
 * user space before a generation is in force, hooks while it is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_LINKS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tyr_link_key);
	__type(value, struct tyr_link);
} links SEC(".maps");

/* Identities that the next run of the tagging iterator gives, by tgid. Writer: user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_TAGS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tyr_task);
} tagging SEC(".maps");

/*
 * Tyr's own processes: tgid -> when it started, in TYR_TICK_NS of CLOCK_BOOTTIME, so that a number
 * that is used again is nobody's. Writer: user space, which removes what has ended.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TYR_OWN_MAX);
	__type(key, __u32);
	__type(value, __u64);
} own SEC(".maps");

/*
 * Who was there before: for a thread that is born of one without identity while running agents are
 * tagged, the process that was not, and its ancestors. A child whose parent has ended by the time
 * that it is seen is still known by them. Writer: task_alloc.
 */
struct tyr_birth {
	__u32 origin[TYR_BIRTH_DEPTH];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tyr_birth);
} births SEC(".maps");

/* Records for the daemon. Full: the record is lost and counted, the verdict stands. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

/* enum tyr_counter -> count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TYR_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void tyr_count(__u32 counter)
{
	__u64 *count = bpf_map_lookup_elem(&counters, &counter);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* The sum of `session_changes`, plus one: never 0 unless a lookup failed. */
static __always_inline __u64 tyr_session_epoch(void)
{
	__u32 by_programs = TYR_CHANGES_BY_PROGRAMS, by_user = TYR_CHANGES_BY_USER;
	__u64 *programs = bpf_map_lookup_elem(&session_changes, &by_programs);
	__u64 *user = bpf_map_lookup_elem(&session_changes, &by_user);

	if (!programs || !user)
		return 0;
	return *(volatile __u64 *)programs + *(volatile __u64 *)user + 1;
}

static __always_inline void tyr_session_changed(void)
{
	__u32 by_programs = TYR_CHANGES_BY_PROGRAMS;
	__u64 *changes = bpf_map_lookup_elem(&session_changes, &by_programs);

	if (changes)
		__sync_fetch_and_add(changes, 1);
}

#endif
