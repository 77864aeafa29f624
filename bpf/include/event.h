/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Identity of tasks and sessions, and the records in the `events` ring buffer.
 *
 * This header is the only definition. The skeleton generator turns it into Rust;
 * src/kernel/record.rs checks lengths and values before it believes a record.
 */
#ifndef TYR_EVENT_H
#define TYR_EVENT_H

enum tyr_event_limits {
	TYR_EVENT_ABI = 7,		/* raised when this header changes meaning */
	TYR_SESSIONS_MAX = 16384,	/* entries of `sessions` */
	TYR_TAGS_MAX = 16384,		/* processes tagged in one pass */
	TYR_LINKS_MAX = 65536,		/* entries of `links` */
	TYR_LINK_NAMES_MAX = 4,		/* names of one inode that are told apart */
	TYR_LINK_ACTIONS = 3,		/* those about paths come first */
	TYR_NAMESPACES_MAX = 8192,	/* entries of `namespaces` */
	TYR_PRIVATE_MAX = 8192,		/* entries of `private_mounts` */
	TYR_PATH_MAX = 4096,		/* longest path inside a file system that is matched exactly */
	TYR_EXE_MAX = 256,		/* longest executable path kept with a task */
	TYR_COMM_LEN = 16,
	TYR_BIRTH_DEPTH = 4,		/* ancestors kept of a thread that is born while agents are tagged */
	TYR_SESSION_TYPES_MAX = 4,	/* nested agents whose rules all hold */
	TYR_OWN_MAX = 256,		/* Tyr's own processes on a host */
	TYR_TICK_NS = 10000000,		/* unit of start times in /proc */
};

/*
 * Kept in task storage on every thread of an agent, and of an interpreter that may become one.
 *
 * An interpreter gets the number of a session that does not exist yet, its `candidate`. Its
 * children inherit both numbers. The first file of a framework that one of them opens makes the
 * entry in `sessions`, and with it all of them change at once; until then `session`, if there is
 * one, governs them.
 */
struct tyr_task {
	__u64 session;			/* 0: not in an agent */
	__u64 candidate;		/* 0: none */
	__u64 exec_boot_ns;		/* when this program image started */
	__u32 flags;			/* TYR_TASK_* */
	__u32 generation;		/* image for which exe_class holds */
	__u32 exe_class;
	__u32 exe_dev;			/* super_block.s_dev of the executable */
	__u64 exe_ino;
	__u32 exe_len;			/* 0: not known */
	__u32 profile;			/* of session and executable, or TYR_PROFILE_NONE */
	__u64 profile_epoch;		/* `profile` holds for `generation` and this sum of session_changes */
	__u32 agent_type;		/* innermost one of the session; holds with `profile` */
	__u32 reserved;
	__u8 exe[TYR_EXE_MAX];		/* path inside its file system, no NUL */
};

enum tyr_profile_values {
	TYR_PROFILE_NONE = 0xffffffff,	/* no session governs the thread */
};

enum tyr_task_flags {
	TYR_TASK_INTERPRETER = 1,	/* files it opens may make the session an agent */
	TYR_TASK_EXE_TOO_LONG = 2,
	TYR_TASK_EXE_UNSETTLED = 4,	/* memfd, unlinked, or a file system the image does not list */
	TYR_TASK_AGENT = 8,		/* governed even when `sessions` has no room for its entry */
	TYR_TASK_LOADER = 16,		/* runs the dynamic loader: what it maps to execute is exec'd */
};

/*
 * One agent session, by its number. A candidate has no entry until a signature matches. User space
 * refines the slot for the image in force and, before a swap, for the next one; an image that
 * neither entry names uses type_slot of every type.
 *
 * Programs of another ABI take sessions over: the fields up to `parent` stay what they are.
 */
struct tyr_session {
	__u32 type_count;		/* 1..TYR_SESSION_TYPES_MAX */
	__u32 type[TYR_SESSION_TYPES_MAX];	/* outermost agent first */
	__u32 root_tgid;
	__u64 root_start_boot_ns;	/* task start time of the root process */
	__u64 parent;			/* session that started this one, 0: none */
	struct {
		__u32 generation;
		__u32 slot;
	} refined[2];
};

enum tyr_event_kind {
	/* A decision: struct tyr_operation, then path bytes, then exe bytes. */
	TYR_EVENT_OPERATION = 1,
	/* The others: struct tyr_process, then path bytes. */
	TYR_EVENT_AGENT_STARTED = 2,	/* a session got an entry; path: the file that showed it */
	TYR_EVENT_PROCESS_EXECED = 3,	/* a process of a session runs a new program; path: the program */
	TYR_EVENT_PROCESS_EXITED = 4,	/* last thread of a process of a session; path: its program */
};

/* Why the verdict is what it is. */
enum tyr_reason {
	TYR_REASON_CELL = 0,		/* the verdict cell */
	TYR_REASON_UNSETTLED = 1,	/* the path could not be joined to the host's mount table */
	TYR_REASON_TOO_LONG = 2,	/* the path does not fit TYR_PATH_MAX */
	TYR_REASON_FAULT = 3,		/* a helper or the image failed: denied */
	TYR_REASON_SELF = 4,		/* Tyr protects itself: own_rule says from what */
	TYR_REASON_MOVED = 5,		/* the new name lies under other rules than the old one */
	TYR_REASON_LINKED = 6,		/* the verdict cell of another hard link of the object */
};

/*
 * What self-protection refused. For the first group `ino` is the process it was aimed at, the
 * path its name, and `dev` the argument given here; for the second the operation is like any
 * other.
 */
enum tyr_own_rule {
	TYR_OWN_SIGNAL = 1,		/* signal number */
	TYR_OWN_TRACE = 2,		/* PTRACE_MODE_* */
	TYR_OWN_SETTING = 3,		/* enum tyr_own_setting */
	TYR_OWN_BPF = 4,		/* command of bpf(2); no process */
	TYR_OWN_PERF = 5,		/* nothing */
	TYR_OWN_CAPABILITY = 6,		/* number of the capability; no process */
	TYR_OWN_MEMORY_MAP = 7,		/* nothing */
	TYR_OWN_IOCTL = 8,		/* request; no process */

	TYR_OWN_UNMOUNT = 9,
	TYR_OWN_DEVICE = 10,
	TYR_OWN_KERNEL = 11,		/* settings of the kernel: /proc, /sys and their like */
	TYR_OWN_CGROUP = 12,
	TYR_OWN_PINS = 13,		/* anything on a BPF file system */
	TYR_OWN_PROCESS_FILE = 14,	/* /proc/PID of a process out of reach */
	TYR_OWN_RULES = 15,
};

enum tyr_own_setting {
	TYR_OWN_SETTING_LIMIT = 0,
	TYR_OWN_SETTING_SCHEDULER = 1,
	TYR_OWN_SETTING_NICE = 2,
	TYR_OWN_SETTING_IO_PRIORITY = 3,
	TYR_OWN_SETTING_MEMORY_NODE = 4,
	TYR_OWN_SETTING_CGROUP = 5,	/* of a child, given when it is born */
};

struct tyr_event_header {
	__u32 kind;			/* enum tyr_event_kind */
	__u32 length;			/* whole record, bytes */
	__u64 boot_ns;			/* CLOCK_BOOTTIME */
	__u64 session;
	__u64 start_boot_ns;		/* start time of the process (thread group leader) */
	__u64 exec_boot_ns;
	__u64 cgroup_id;
	__u32 tgid;
	__u32 tid;
	__u32 parent_tgid;
	__u32 uid;
	__u32 gid;
	__u32 generation;
	__u8 comm[TYR_COMM_LEN];	/* of the thread; display only */
};

struct tyr_operation {
	struct tyr_event_header header;
	__u32 action;			/* enum tyr_action */
	__u32 verdict;			/* enum tyr_verdict */
	__u32 cell;			/* TYR_CELL_* of the deciding cell */
	__u32 reason;			/* enum tyr_reason */
	__u32 hook;			/* enum tyr_hook */
	__u32 agent_type;		/* of the session's innermost agent */
	__u32 dev;			/* of the object; 0 for addresses */
	__u32 exe_dev;
	__u64 ino;
	__u8 address[16];		/* network order; IPv4 in the first 4 bytes */
	__u16 address_len;		/* 0, 4 or 16 */
	__u16 port;			/* host order */
	__u16 protocol;			/* IPPROTO_* */
	__u16 path_len;
	__u16 exe_len;
	__u16 own_rule;			/* enum tyr_own_rule, with TYR_REASON_SELF */
	__u16 reserved[2];
};

struct tyr_process {
	struct tyr_event_header header;
	__u32 agent_type;		/* of the session's innermost agent; 0: not known */
	__u32 dev;			/* file system of the path */
	__u64 ino;
	__u32 flags;			/* TYR_TASK_* */
	__u32 path_len;			/* 0 when it is longer than TYR_EXE_MAX */
};

enum tyr_hook {
	TYR_HOOK_FILE_OPEN = 1,
	TYR_HOOK_BPRM_CHECK = 2,
	TYR_HOOK_SOCKET_CONNECT = 3,
	TYR_HOOK_SOCKET_SENDMSG = 4,
	TYR_HOOK_SOCKET_CREATE = 5,
	TYR_HOOK_PATH_UNLINK = 6,
	TYR_HOOK_PATH_RMDIR = 7,
	TYR_HOOK_PATH_MKDIR = 8,
	TYR_HOOK_PATH_MKNOD = 9,
	TYR_HOOK_PATH_SYMLINK = 10,
	TYR_HOOK_PATH_LINK = 11,
	TYR_HOOK_PATH_RENAME = 12,
	TYR_HOOK_PATH_TRUNCATE = 13,
	TYR_HOOK_PATH_CHMOD = 14,
	TYR_HOOK_PATH_CHOWN = 15,
	TYR_HOOK_INODE_XATTR = 16,
	TYR_HOOK_UNIX_CONNECT = 17,
	TYR_HOOK_FILE_RECEIVE = 18,
	TYR_HOOK_MMAP = 19,
	TYR_HOOK_SIGNAL = 20,
	TYR_HOOK_PTRACE = 21,
	TYR_HOOK_TASK_SETTING = 22,
	TYR_HOOK_BPF = 23,
	TYR_HOOK_PERF = 24,
	TYR_HOOK_CAPABLE = 25,
	TYR_HOOK_PRCTL = 26,
	TYR_HOOK_IOCTL = 27,
	TYR_HOOK_UNMOUNT = 28,
	TYR_HOOK_MKNOD = 29,
	TYR_HOOK_FILE_USE = 30,		/* a descriptor that was opened before this verdict */
	TYR_HOOK_INODE_SETATTR = 31,
	TYR_HOOK_FILE_IOCTL = 32,
	TYR_HOOK_INTERPRETER = 33,	/* of an executable, or of a script */
	TYR_HOOK_MOUNT = 34,
	TYR_HOOK_UMOUNT = 35,
	TYR_HOOK_SOCKET_SETSOCKOPT = 36,
	TYR_HOOKS = 37,
};

/*
 * Counters in the per-CPU array `counters`; none of them is reset while the programs live. New ones
 * come last: programs of another ABI read TYR_COUNT_EVENTS_LOST of the ones they follow.
 */
enum tyr_counter {
	TYR_COUNT_DECISIONS = 0,
	TYR_COUNT_DENIED = 1,
	TYR_COUNT_EVENTS = 2,		/* records put into the ring buffer */
	TYR_COUNT_EVENTS_LOST = 3,	/* ring buffer full */
	TYR_COUNT_FAULTS = 4,		/* helper failed; denied for governed tasks */
	TYR_COUNT_STORAGE_FAILED = 5,	/* task storage could not be made; for an agent's task the fork
					 * or exec was refused */
	TYR_COUNT_SESSIONS_FULL = 6,	/* session table full; the unknown slot is used */
	TYR_COUNT_PATH_UNSETTLED = 7,
	TYR_COUNT_PATH_TOO_LONG = 8,
	TYR_COUNT_AGENTS = 9,		/* sessions that became an agent */
	TYR_COUNT_RENAME_RACES = 10,	/* path walks repeated because a rename ran meanwhile */
	TYR_COUNT_EVENTS_FAILED = 11,	/* records that could not be made: no memory for work space */
	TYR_COUNT_SELF_DENIED = 12,	/* refused by self-protection */
	TYR_COUNT_LINKS_LOST = 13,	/* names of linked files that could not be kept */
	TYR_COUNT_REMEMBERED = 14,	/* allowed because the same was allowed before; not a decision */
	TYR_COUNT_BY_FOLDER = 15,	/* decided by what was remembered of the directory */
	TYR_COUNTERS = 16,
};

/* One name of an inode, among the first TYR_LINK_NAMES_MAX; the one after them stands for more. */
struct tyr_link_key {
	__u32 generation;
	__u32 dev;			/* super_block.s_dev */
	__u64 ino;
	__u32 number;
	__u32 reserved;
};

enum tyr_link_length {
	TYR_LINK_UNKNOWN = 0xffffffff,	/* too long to keep, or more names than are kept */
};

struct tyr_link {
	__u32 class[TYR_LINK_ACTIONS];	/* by action */
	__u32 length;
	__u8 path[TYR_EXE_MAX];		/* the name, inside its file system */
};

/* What is in `namespaces`. */
enum tyr_namespace {
	TYR_NAMESPACE_BELIEVED = 1,	/* its mounts give objects names */
	TYR_NAMESPACE_AGENTS = 2,	/* a governed task mounted in it */
};

/* Entries of `session_changes`: each has one kind of writer, so that no count is lost. */
enum tyr_session_changes {
	TYR_CHANGES_BY_PROGRAMS = 0,
	TYR_CHANGES_BY_USER = 1,
	TYR_CHANGES = 2,
};

/* The one entry of `config`, written before the programs are attached. `abi` never moves. */
struct tyr_config {
	__u64 scope_cgroup;		/* cgroup id; agents are only recognised below it. 0: everywhere */
	__u32 scope_level;		/* depth of that cgroup in the hierarchy, the root is 0 */
	__u32 abi;			/* TYR_EVENT_ABI, and TYR_IMAGE_ABI << 16, of the programs
					 * that use these maps */
	__u64 build;			/* fingerprint of the object that was loaded last */
	__u32 settling;			/* running processes are being tagged: births are noted */
	__u32 reserved;
};

/*
 * What the iterator over live tasks writes, one for each thread that carries an identity. The same
 * in every ABI: programs that take the place of others read it.
 */
struct tyr_live {
	__u64 session;
	__u64 candidate;
	__u32 tgid;
	__u32 tid;
	__u32 flags;			/* TYR_TASK_AGENT and TYR_TASK_INTERPRETER never change */
	__u32 reserved;
};

_Static_assert(sizeof(struct tyr_event_header) == 88, "no padding that the kernel would leak");
_Static_assert(sizeof(struct tyr_task) == 72 + TYR_EXE_MAX, "copied whole");
_Static_assert(sizeof(struct tyr_session) == 56, "copied whole");
_Static_assert(sizeof(struct tyr_link_key) == 24, "compared whole");
_Static_assert(sizeof(struct tyr_link) == 16 + TYR_EXE_MAX, "copied whole");
_Static_assert(sizeof(struct tyr_config) == 32, "copied whole");
_Static_assert(sizeof(struct tyr_live) == 32, "read by user space");
_Static_assert(sizeof(struct tyr_process) == 88 + 24, "no padding that the kernel would leak");
_Static_assert(sizeof(struct tyr_operation) == 88 + 32 + 8 + 16 + 16, "no padding that the kernel would leak");

#endif
