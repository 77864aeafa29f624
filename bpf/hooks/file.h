/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files: opening, receiving, and every way to change a name or its inode. */

/*
 * An interpreter that may become an agent has opened a file: does it show one? Returns 0 when no
 * such file is shown, 1 when one is, -1 when an agent could not be made of it.
 */
static __noinline int tyr_evidence(struct tyr_decision *decision)
{
	struct tyr_scratch *work = decision->work;
	struct tyr_task *task = decision->task;
	struct tyr_session *session;
	__u64 number = work->number;
	__u32 type;

	type = tyr_signature(decision, TYR_PATH_SIGNATURE_OPEN) & TYR_SIGNATURE_TYPE_MASK;
	if (!type)
		return 0;
	session = bpf_map_lookup_elem(&sessions, &number);
	if ((session && tyr_session_has(session, type)) || !tyr_in_scope())
		return 1;
	tyr_seen_fill(&work->evidence, work);
	number = tyr_enter(work, task, task->candidate, type, &work->evidence);
	if (!number)
		return -1;
	work->number = number;
	/* The image was opened before: what is worked out is not kept. */
	tyr_profile_settle(decision, bpf_map_lookup_elem(&sessions, &number), 0);
	return 1;
}

struct tyr_opening {
	struct tyr_decision *decision;
	fmode_t mode;
	__u32 denied;
	__u32 known;		/* enum tyr_remembered_flags */
	__u32 pad;
};

static long tyr_open_step(__u32 index, struct tyr_opening *opening)
{
	struct tyr_decision *decision = opening->decision;
	struct tyr_scratch *work = decision->work;
	fmode_t mode = index ? FMODE_WRITE : FMODE_READ;

	if (!(opening->mode & mode))
		return 0;
	work->action = index ? TYR_ACTION_FILE_WRITE : TYR_ACTION_FILE_READ;
	tyr_judge_place(decision, 1);
	if (tyr_conclude(work, decision->task, decision->image.header->generation)) {
		opening->denied = 1;
	} else if (work->reason == TYR_REASON_CELL) {
		opening->known |= mode * TYR_REMEMBERED_USE;
		if (work->cell & TYR_CELL_SILENT)
			opening->known |= mode;
	}
	return 0;
}

/*
 * Whether a file is allowed without an event by what is remembered of its directory. Then `known`
 * gets what may be remembered of the file.
 */
static __noinline int tyr_open_by_folder(struct tyr_decision *decision, struct file *file,
					 __u32 *known)
{
	struct tyr_scratch *work = decision->work;
	fmode_t mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	long class, cell;

	if ((mode != FMODE_READ && mode != FMODE_WRITE) ||
	    (mode == FMODE_READ && decision->task->flags & TYR_TASK_INTERPRETER))
		return 0;
	work->action = mode == FMODE_WRITE ? TYR_ACTION_FILE_WRITE : TYR_ACTION_FILE_READ;
	class = tyr_recall_class(decision, file);
	if (class < 0)
		return 0;
	cell = tyr_judge(decision, class);
	if (cell < 0 || tyr_cell_denies(cell) || !(cell & TYR_CELL_SILENT))
		return 0;
	tyr_count(TYR_COUNT_DECISIONS);
	tyr_count(TYR_COUNT_BY_FOLDER);
	*known = mode | mode * TYR_REMEMBERED_USE;
	return 1;
}

/* Judges a file that decision->task opens. `known` gets what may be remembered of it. */
static __noinline int tyr_judge_file(struct tyr_decision *decision, struct file *file, __u32 hook,
				     __u32 *known)
{
	struct tyr_opening opening = { .decision = decision };
	struct inode *inode = file->f_inode;
	struct tyr_scratch *work;
	__u32 rule;

	*known = 0;
	switch (tyr_begin_as(decision, decision->task, TYR_ACTION_FILE_READ, hook, 1)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	opening.mode = file->f_mode;
	work = decision->work;
	work->kind = tyr_guard_kind(inode->i_mode, inode->i_rdev, inode->i_sb->s_magic);
	work->by_folder = hook == TYR_HOOK_FILE_OPEN && !work->kind && work->number &&
			  (inode->i_mode & S_IFMT) == S_IFREG && inode->__i_nlink == 1;
	if (work->by_folder && tyr_open_by_folder(decision, file, known))
		return 0;
	if (tyr_place_of_file(work, file))
		return work->number ? tyr_decide_class(decision, -1) : 0;
	if (work->place.outcome == TYR_PATH_PSEUDO)
		return 0;
	if (decision->task->flags & TYR_TASK_INTERPRETER && opening.mode & FMODE_READ) {
		int shown = tyr_evidence(decision);

		if (shown < 0)
			return -EPERM;
		if (!shown && work->place.outcome == TYR_PATH_SETTLED)
			opening.known = TYR_REMEMBERED_PLAIN;
	}
	if (work->kind && work->number) {
		work->action = opening.mode & FMODE_WRITE ? TYR_ACTION_FILE_WRITE :
								      TYR_ACTION_FILE_READ;
		rule = tyr_guard_place(work, BPF_CORE_READ(file, f_path.dentry), inode, work->kind,
				       opening.mode & FMODE_WRITE);
		if (rule)
			return tyr_refuse(decision, rule, 0);
	}
	if (work->by_folder)
		work->place.leaf = file->f_path.dentry->d_name.len + 1;
	if (work->number && bpf_loop(2, tyr_open_step, &opening, 0) < 0)
		return -EPERM;
	if (!work->kind)
		*known = opening.known;
	if (work->by_folder && opening.known & opening.mode)
		tyr_learn_folder(decision, file);
	return opening.denied ? -EPERM : 0;
}

/*
 * Opens by exec are judged as exec. What a file system opens below an object that was judged
 * (overlay, cachefiles) is not the caller's doing.
 */
SEC("lsm/file_open")
int lsm_file_open(unsigned long long *ctx)
{
	struct file *file = (struct file *)ctx[0];
	struct tyr_decision decision = {};
	__u32 who, known;

	if (file->f_mode & FMODE_NOACCOUNT)
		return 0;
	if (file->f_flags & FMODE_EXEC_FLAG)
		return tyr_answer(tyr_judge_interpreter(file));
	decision.task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!decision.task)
		return who == TYR_WHO_FAULT ? tyr_answer(-EPERM) : 0;
	if (tyr_recall(decision.task, file, tyr_open_needs(decision.task, file->f_mode))) {
		tyr_count(TYR_COUNT_REMEMBERED);
		return 0;
	}
	if (tyr_judge_file(&decision, file, TYR_HOOK_FILE_OPEN, &known))
		return tyr_answer(-EPERM);
	if (known)
		tyr_remember(&decision, file, known);
	return 0;
}

SEC("fmod_ret/security_file_open")
int fmod_file_open(unsigned long long *ctx)
{
	struct file *file = (struct file *)ctx[0];
	struct tyr_decision decision = {};
	__u32 who, known;

	if (file->f_mode & FMODE_NOACCOUNT)
		return 0;
	if (file->f_flags & FMODE_EXEC_FLAG)
		return tyr_answer(tyr_judge_interpreter(file));
	decision.task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!decision.task)
		return who == TYR_WHO_FAULT ? tyr_answer(-EPERM) : 0;
	return tyr_answer(tyr_judge_file(&decision, file, TYR_HOOK_FILE_OPEN, &known));
}

/* A link to an inode, whoever makes it and however: the last moment at which it has only one. */
SEC("lsm/inode_link")
int lsm_inode_link(unsigned long long *ctx)
{
	struct dentry *dentry = (struct dentry *)ctx[0];
	struct inode *inode = dentry->d_inode;

	if (inode)
		tyr_forget(inode);
	return 0;
}

static int tyr_judge_passed(struct file *file);

/* A descriptor that came over a socket or from another process. */
TYR_HOOK(file_receive, "file_receive", "security_file_receive", struct file *file)
{
	struct tyr_decision decision = {};
	__u32 who, known;

	if (tyr_judge_passed(file))
		return -EPERM;
	decision.task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!decision.task)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	return tyr_judge_file(&decision, file, TYR_HOOK_FILE_RECEIVE, &known);
}

TYR_HOOK(path_unlink, "path_unlink", "security_path_unlink", struct path *dir,
	 struct dentry *dentry)
{
	if (tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_PATH_UNLINK))
		return -EPERM;
	return tyr_decide_unname(dentry, TYR_HOOK_PATH_UNLINK);
}

TYR_HOOK(path_rmdir, "path_rmdir", "security_path_rmdir", struct path *dir,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_PATH_RMDIR);
}

TYR_HOOK(path_mkdir, "path_mkdir", "security_path_mkdir", struct path *dir,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_PATH_MKDIR);
}

TYR_HOOK(path_mknod, "path_mknod", "security_path_mknod", struct path *dir,
	 struct dentry *dentry)
{
	return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_PATH_MKNOD);
}

TYR_HOOK(path_symlink, "path_symlink", "security_path_symlink", struct path *dir,
	 struct dentry *dentry)
{
	if (tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_PATH_SYMLINK))
		return -EPERM;
	return tyr_decide_detour(dentry, TYR_HOOK_PATH_SYMLINK);
}

TYR_HOOK(path_link, "path_link", "security_path_link", struct dentry *old_dentry,
	 struct path *new_dir, struct dentry *new_dentry)
{
	return tyr_decide_rename(old_dentry, new_dentry, TYR_HOOK_PATH_LINK, 1);
}

/* Programs of their own, because each is verified as a whole. */
TYR_HOOK(link_mark, "path_link", "security_path_link", struct dentry *old_dentry,
	 struct path *new_dir, struct dentry *new_dentry)
{
	return tyr_mark(old_dentry, new_dentry);
}

TYR_HOOK(rename_mark, "path_rename", "security_path_rename", struct path *old_dir,
	 struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	if (BPF_CORE_READ(old_dentry, d_inode, __i_nlink) < 2 ||
	    (BPF_CORE_READ(old_dentry, d_inode, i_mode) & S_IFMT) == S_IFDIR)
		return 0;
	return tyr_mark(old_dentry, new_dentry);
}

TYR_HOOK(link_symlink, "path_link", "security_path_link", struct dentry *old_dentry,
	 struct path *new_dir, struct dentry *new_dentry)
{
	return tyr_is_symlink(old_dentry) ? tyr_decide_detour(new_dentry, TYR_HOOK_PATH_LINK) : 0;
}

TYR_HOOK(rename_symlink, "path_rename", "security_path_rename", struct path *old_dir,
	 struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	if (tyr_is_symlink(old_dentry) && tyr_decide_detour(new_dentry, TYR_HOOK_PATH_RENAME))
		return -EPERM;
	return tyr_is_symlink(new_dentry) ? tyr_decide_detour(old_dentry, TYR_HOOK_PATH_RENAME) : 0;
}

TYR_HOOK(rename_over, "path_rename", "security_path_rename", struct path *old_dir,
	 struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	if (!BPF_CORE_READ(new_dentry, d_inode))
		return 0;
	return tyr_decide_unname(new_dentry, TYR_HOOK_PATH_RENAME);
}

TYR_HOOK(path_rename, "path_rename", "security_path_rename", struct path *old_dir,
	 struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	/* Where the new name is taken, RENAME_EXCHANGE may move that object too. */
	return tyr_decide_rename(old_dentry, new_dentry, TYR_HOOK_PATH_RENAME,
				 BPF_CORE_READ(new_dentry, d_inode) ? 2 : 1);
}

TYR_HOOK(path_truncate, "path_truncate", "security_path_truncate", struct path *path)
{
	return tyr_decide_dentry(BPF_CORE_READ(path, dentry), TYR_ACTION_FILE_WRITE,
				 TYR_HOOK_PATH_TRUNCATE);
}

/* From 6.2 on, for ftruncate and O_TRUNC. */
TYR_HOOK(file_truncate, "file_truncate", "security_file_truncate", struct file *file)
{
	return tyr_decide_dentry(BPF_CORE_READ(file, f_path.dentry), TYR_ACTION_FILE_WRITE,
				 TYR_HOOK_PATH_TRUNCATE);
}

TYR_HOOK(path_chmod, "path_chmod", "security_path_chmod", struct path *path)
{
	return tyr_decide_dentry(BPF_CORE_READ(path, dentry), TYR_ACTION_FILE_WRITE,
				 TYR_HOOK_PATH_CHMOD);
}

TYR_HOOK(path_chown, "path_chown", "security_path_chown", struct path *path)
{
	return tyr_decide_dentry(BPF_CORE_READ(path, dentry), TYR_ACTION_FILE_WRITE,
				 TYR_HOOK_PATH_CHOWN);
}

static const __u8 tyr_abstract_path[] = { '/', 'a', 'b', 's', 't', 'r', 'a', 'c', 't', ':' };

enum tyr_unix_limits {
	TYR_ABSTRACT_BYTES_MAX = 127,	/* a mask; names have at most 107 bytes */
};

/*
 * An abstract name is on no file system. It stands for the resource `/abstract:` and the name,
 * every byte of it as it is.
 */
static __noinline int tyr_decide_abstract(struct unix_address *address)
{
	struct tyr_decision decision = {};
	struct tyr_image_ref *image = &decision.image;
	struct tyr_scratch *work;
	__u32 length;

	switch (tyr_begin(&decision, TYR_ACTION_FILE_WRITE, TYR_HOOK_UNIX_CONNECT, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision.work;
	if (BPF_CORE_READ(address, name[0].sun_path[0]))
		return tyr_decide_place(&decision);	/* a path, and nobody knows where */
	/* The family, and the NUL that makes the name abstract. */
	length = BPF_CORE_READ(address, len) - (sizeof(__u16) + 1);
	length &= TYR_ABSTRACT_BYTES_MAX;
	__builtin_memcpy(work->path, tyr_abstract_path, sizeof(tyr_abstract_path));
	if (length && bpf_probe_read_kernel(work->path + sizeof(tyr_abstract_path), length,
					    &address->name[0].sun_path[1]))
		return tyr_decide_class(&decision, -1);
	work->place.outcome = TYR_PATH_SETTLED;
	work->place.offset = 0;
	work->place.length = sizeof(tyr_abstract_path) + length;
	return tyr_decide_class(&decision,
				tyr_walk_path(image,
					      image->header->path_start[TYR_PATH_FILE_WRITE],
					      work->path, 0, work->place.length));
}

/*
 * A listening or bound unix socket is where it was bound. One without a name (of a pair, or a
 * client's) can only be reached by whoever was given a descriptor.
 */
static __always_inline int tyr_judge_unix(struct sock *other)
{
	struct unix_sock *bound = (struct unix_sock *)other;
	struct dentry *dentry = BPF_CORE_READ(bound, path.dentry);
	struct unix_address *address;

	if (dentry)
		return tyr_decide_dentry(dentry, TYR_ACTION_FILE_WRITE, TYR_HOOK_UNIX_CONNECT);
	address = BPF_CORE_READ(bound, addr);
	return address ? tyr_decide_abstract(address) : 0;
}

TYR_HOOK(unix_stream_connect, "unix_stream_connect", "security_unix_stream_connect",
	 struct sock *sock, struct sock *other)
{
	return tyr_judge_unix(other);
}

TYR_HOOK(unix_may_send, "unix_may_send", "security_unix_may_send", struct socket *sock,
	 struct socket *other)
{
	return tyr_judge_unix(BPF_CORE_READ(other, sk));
}
