//! Out of a container to the host that it runs on.
//!
//! Policies are about the host's files and containers have others: links are resolved, hard links
//! searched and users named where the agents are. A daemon in a container therefore works in the
//! namespaces of the host's first process, and keeps only its network.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::error::Error;

/// `PROC_PID_INIT_INO` of include/linux/proc_ns.h: the first namespace of processes.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
/// What is entered; mounts last, because /proc goes with them.
const NAMESPACES: [(&str, libc::c_int); 3] = [
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("mnt", libc::CLONE_NEWNS),
];

/// Enters the host's mounts, names and control groups. To be called before other threads start.
///
/// # Errors
///
/// The container does not see the host's processes, or may not enter.
pub fn enter() -> Result<(), Error> {
    if namespace("self", "pid")? != FIRST_PID_NAMESPACE {
        return Err(Error::Container(
            "it does not see the host's processes: start it with --pid=host, in Kubernetes with hostPID: true",
        ));
    }
    let mut files = Vec::new();
    for (name, kind) in NAMESPACES {
        let path = format!("/proc/1/ns/{name}");
        // Reading a link of another user's process is refused as entering would be.
        let file = File::open(&path).map_err(|source| refused(&path, source))?;
        files.push((path, kind, file));
    }
    for (path, kind, file) in files {
        // SAFETY: a descriptor that lives through the call, and a number.
        if unsafe { libc::setns(file.as_raw_fd(), kind) } != 0 {
            return Err(refused(&path, std::io::Error::last_os_error()));
        }
    }
    std::env::set_current_dir("/").map_err(|source| Error::Io {
        what: "enter the host's root",
        source,
    })
}

fn namespace(process: &str, name: &str) -> Result<u64, Error> {
    let path = format!("/proc/{process}/ns/{name}");
    let found = fs::metadata(&path);
    found
        .map(|found| found.ino())
        .map_err(|source| Error::File {
            path: path.into(),
            source,
        })
}

fn refused(path: &str, source: std::io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Error::Container(
            "it may not enter the host's namespaces: start it as root with --user 0 --privileged, in Kubernetes with runAsUser: 0 and privileged: true",
        ),
        _ => Error::File {
            path: path.into(),
            source,
        },
    }
}
