/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that Tyr reads, and of each only the fields that it reads.
 *
 * CO-RE finds every field by name in the running kernel's BTF, so order, size and what is left
 * out do not matter here. A field that a kernel does not have makes the program fail to load.
 */
#ifndef TYR_KERNEL_H
#define TYR_KERNEL_H

#include <linux/types.h>

#define TYR_CORE __attribute__((preserve_access_index))

typedef __u32 fmode_t;
typedef __u32 dev_t;
typedef __u16 umode_t;

struct bpf_local_storage;
struct seq_file;

struct super_block;

struct user_namespace {
	int level;			/* 0: the host's own */
	struct user_namespace *parent;
} TYR_CORE;

struct ns_common {
	unsigned int inum;
} TYR_CORE;

struct mnt_namespace {
	struct ns_common ns;
	struct user_namespace *user_ns;
} TYR_CORE;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
} TYR_CORE;

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
	int mnt_flags;
} TYR_CORE;

struct list_head {
	struct list_head *next;
} TYR_CORE;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct list_head mnt_mounts;
	struct mnt_namespace *mnt_ns;
} TYR_CORE;

struct super_block {
	dev_t s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
} TYR_CORE;

struct inode {
	umode_t i_mode;
	dev_t i_rdev;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int __i_nlink;
	__u32 i_generation;
} TYR_CORE;

struct qstr {
	__u32 hash;
	__u32 len;
	const unsigned char *name;
} TYR_CORE;

typedef struct seqcount {
	unsigned int sequence;
} TYR_CORE seqcount_t;

typedef struct seqcount_spinlock {
	seqcount_t seqcount;
} TYR_CORE seqcount_spinlock_t;

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
} TYR_CORE;

struct dentry {
	unsigned int d_flags;
	seqcount_spinlock_t d_seq;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
} TYR_CORE;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} TYR_CORE;

struct file {
	fmode_t f_mode;
	struct inode *f_inode;
	unsigned int f_flags;
	void *private_data;
	struct path f_path;
} TYR_CORE;

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
} TYR_CORE;

struct iattr {
	unsigned int ia_valid;
} TYR_CORE;

/* Of the LSM hooks, the one that came when inode_setattr got its idmap (6.9). */
union security_list_options {
	void *file_post_open;
} TYR_CORE;

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
} TYR_CORE;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
} TYR_CORE;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

typedef struct {
	__u64 val;
} kernel_cap_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kuid_t suid;
	kernel_cap_t cap_effective;	/* two words until 6.3: the same bytes */
	struct user_namespace *user_ns;
} TYR_CORE;

struct sigaction {
	void *sa_handler;
} TYR_CORE;

struct k_sigaction {
	struct sigaction sa;
} TYR_CORE;

struct sighand_struct {
	struct k_sigaction action[64];
} TYR_CORE;

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct hlist_node {
	struct hlist_node *next;
} TYR_CORE;

struct hlist_head {
	struct hlist_node *first;
} TYR_CORE;

struct pid {
	struct hlist_head tasks[1];
} TYR_CORE;

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
} TYR_CORE;

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	const struct cred *cred;
	struct nsproxy *nsproxy;
	struct hlist_node pid_links[1];
	struct sighand_struct *sighand;
	sigset_t blocked;
	char comm[16];
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct bpf_local_storage *bpf_storage;
} TYR_CORE;

struct sockaddr {
	__u16 sa_family;
} TYR_CORE;

struct msghdr {
	void *msg_name;
	int msg_namelen;
	void *msg_control;
	unsigned long msg_controllen;
} TYR_CORE;

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} TYR_CORE;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
} TYR_CORE;

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
} TYR_CORE;

struct sockaddr_un {
	__u16 sun_family;
	char sun_path[108];
} TYR_CORE;

struct unix_address {
	int len;			/* of the name, its family included */
	struct sockaddr_un name[];
} TYR_CORE;

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct path path;
} TYR_CORE;

struct bpf_iter_meta {
	struct seq_file *seq;
} TYR_CORE;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} TYR_CORE;

#define CLONE_INTO_CGROUP 0x200000000ULL

/* Values that are part of the kernel's ABI or have not changed since 5.7. */
enum tyr_kernel_values {
	FMODE_READ = 0x1,
	FMODE_WRITE = 0x2,
	FMODE_NOACCOUNT = 0x20000000,	/* opened by a file system on behalf of a judged open */
	FMODE_EXEC_FLAG = 0x20,		/* in f_flags: open by exec, cannot be set by a caller */
	NSFS_MAGIC = 0x6e736673,
	DEVPTS_SUPER_MAGIC = 0x1cd1,
	MQUEUE_MAGIC = 0x19800202,
	SB_NOUSER = 1U << 31,		/* pipes, sockets, anonymous inodes, memfds */
	NAME_BYTES_MAX = 255,
	DCACHE_OP_HASH = 0x1,
	DCACHE_OP_COMPARE = 0x2,
	DCACHE_OP_REVALIDATE = 0x4,
	EXT4_SUPER_MAGIC = 0xef53,
	XFS_SUPER_MAGIC = 0x58465342,
	TMPFS_MAGIC = 0x01021994,
	S_IFMT = 0170000,
	S_IFDIR = 0040000,
	S_IFSOCK = 0140000,
	S_IFLNK = 0120000,
	S_IFCHR = 0020000,
	S_IFBLK = 0060000,
	S_IFREG = 0100000,
	PROT_WRITE = 0x2,
	PROT_EXEC = 0x4,
	MAP_SHARED = 0x1,		/* also set in MAP_SHARED_VALIDATE */
	VM_SHARED = 0x8,
	MAY_WRITE = 0x2,
	MAY_READ = 0x4,
	ATTR_ATIME_SET = 1 << 7,
	ATTR_MTIME_SET = 1 << 8,
	ATTR_TOUCH = 1 << 17,
	EPERM = 1,
	ENOMEM = 12,
	EBUSY = 16,
	EEXIST = 17,
	AF_UNSPEC = 0,
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_NETLINK = 16,
	AF_ALG = 38,
	SOCK_STREAM = 1,
	SOCK_DGRAM = 2,
	SOCK_TYPE_MASK = 0xf,
	IPPROTO_ICMP = 1,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_UDPLITE = 136,
	IPPROTO_MPTCP = 262,
	MNT_SHARED = 0x1000,
	PTRACE_MODE_READ = 0x1,
	PTRACE_MODE_ATTACH = 0x2,
	PTRACE_MODE_NOAUDIT = 0x4,
	CAP_OPT_NOAUDIT = 0x2,
	CAP_SYS_MODULE = 16,
	CAP_SYS_RAWIO = 17,
	CAP_SYS_ADMIN = 21,
	CAP_SYS_BOOT = 22,
	CAP_SYS_TIME = 25,
	CAP_PERFMON = 38,
	PR_SET_MM = 35,
	SIGURG = 23,
	SIGIO = 29,
	SIGRTMIN = 32,
	TIOCSTI = 0x5412,
	TIOCLINUX = 0x541c,
	PROC_SUPER_MAGIC = 0x9fa0,
	SYSFS_MAGIC = 0x62656572,
	CGROUP_SUPER_MAGIC = 0x27e0eb,
	CGROUP2_SUPER_MAGIC = 0x63677270,
	BPF_FS_MAGIC = 0xcafe4a11,
	DEBUGFS_MAGIC = 0x64626720,
	TRACEFS_MAGIC = 0x74726163,
	SECURITYFS_MAGIC = 0x73636673,
	CONFIGFS_MAGIC = 0x62656570,
	BINFMTFS_MAGIC = 0x42494e4d,
	EFIVARFS_MAGIC = 0xde5e81e4,
};

#endif
