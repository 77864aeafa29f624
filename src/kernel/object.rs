//! The programs of the object, and which of them a mode needs.

use std::fmt;

/// How verdicts reach the syscall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnforcementMode {
    /// Nothing is attached: operations are neither seen nor stopped.
    Observe,
    /// fmod_ret on the functions that call the LSM hooks: as strict, and skipped where a program
    /// interrupts itself.
    FmodRet,
    /// BPF LSM.
    Lsm,
}

impl EnforcementMode {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            EnforcementMode::Observe => "observe",
            EnforcementMode::FmodRet => "fmod_ret",
            EnforcementMode::Lsm => "lsm",
        }
    }

    /// How the names of its programs begin.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            EnforcementMode::Observe => "none_",
            EnforcementMode::FmodRet => "fmod_",
            EnforcementMode::Lsm => "lsm_",
        }
    }
}

impl fmt::Display for EnforcementMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One hook of the object.
pub(crate) struct Hook {
    /// Program name after the mode's prefix.
    pub(crate) name: &'static str,
    /// The kernel function whose presence says that this kernel has the hook; `None`: all have.
    pub(crate) only_with: Option<&'static str>,
    /// It serves what only LSM programs may use: storage of inodes.
    pub(crate) lsm_only: bool,
}

const fn hook(name: &'static str) -> Hook {
    Hook {
        name,
        only_with: None,
        lsm_only: false,
    }
}

/// In the order in which they are attached: first who inherits, then who is recognised, then what
/// is decided.
pub(crate) const HOOKS: [Hook; 62] = [
    hook("task_alloc"),
    hook("bprm_committed"),
    hook("bprm_check"),
    Hook {
        lsm_only: true,
        ..hook("inode_link")
    },
    hook("file_open"),
    hook("file_receive"),
    hook("mmap_file"),
    hook("file_mprotect"),
    hook("file_permission"),
    hook("file_ioctl"),
    Hook {
        only_with: Some("security_file_ioctl_compat"),
        ..hook("file_ioctl_compat")
    },
    hook("inode_setattr"),
    Hook {
        only_with: Some("security_inode_set_acl"),
        ..hook("inode_set_acl")
    },
    Hook {
        only_with: Some("security_inode_remove_acl"),
        ..hook("inode_remove_acl")
    },
    hook("path_unlink"),
    hook("path_rmdir"),
    hook("path_mkdir"),
    hook("path_mknod"),
    hook("path_symlink"),
    hook("link_mark"),
    hook("link_symlink"),
    hook("rename_mark"),
    hook("rename_over"),
    hook("rename_symlink"),
    hook("path_link"),
    hook("path_rename"),
    hook("path_truncate"),
    Hook {
        only_with: Some("security_file_truncate"),
        ..hook("file_truncate")
    },
    hook("sb_mount"),
    hook("move_mount"),
    hook("sb_umount"),
    hook("sb_pivotroot"),
    hook("sb_delete"),
    hook("sb_free"),
    hook("sb_kern_mount"),
    hook("path_chmod"),
    hook("path_chown"),
    hook("inode_setxattr"),
    hook("inode_removexattr"),
    hook("unix_stream_connect"),
    hook("unix_may_send"),
    hook("socket_connect"),
    hook("socket_sendmsg"),
    hook("socket_setsockopt"),
    hook("socket_create"),
    hook("guard_kill"),
    hook("guard_sigio"),
    hook("guard_ptrace"),
    hook("guard_traceme"),
    hook("guard_limit"),
    hook("guard_scheduler"),
    hook("guard_nice"),
    hook("guard_io_priority"),
    hook("guard_movememory"),
    hook("guard_bpf"),
    hook("guard_perf"),
    hook("guard_capable"),
    hook("guard_prctl"),
    hook("guard_ioctl"),
    Hook {
        only_with: Some("security_file_ioctl_compat"),
        ..hook("guard_ioctl_compat")
    },
    hook("guard_umount"),
    hook("guard_mknod"),
];

/// Programs that every mode needs.
pub(crate) const COMMON: [&str; 3] = ["process_exit", "live_tasks", "tag_tasks"];

/// Maps that outlive the daemon.
pub(crate) const MAPS: [&str; 15] = [
    "tasks",
    "scratch",
    "storage_probe",
    "sessions",
    "next_session",
    "session_changes",
    "config",
    "namespaces",
    "links",
    "private_mounts",
    "tagging",
    "own",
    "events",
    "counters",
    "image",
];

/// Maps that only LSM programs use; other modes are loaded without them. They are not kept over a
/// change of programs: what is remembered is forgotten then.
pub(crate) const LSM_MAPS: [&str; 2] = ["remembered", "linked"];
