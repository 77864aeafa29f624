//! Mount tables of containers.
//!
//! A mount gives objects names, and rules go by names, so only tables are believed that the host's
//! administrator stands behind: the namespace must belong to the initial user namespace, where
//! mounting takes the right to do so on the host, and no governed task may have mounted in it
//! unjudged (`bpf/hooks/mount.h`). The table is read from the namespace's own root, never from that
//! of a process, which may have moved it with chroot(2).

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::thread;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::{MountWatch, Mounts};
use crate::kernel::abi::TYR_NAMESPACE_BELIEVED;
use crate::kernel::error::Error;
use crate::kernel::load::Programs;

/// Most namespaces whose tables are kept.
pub const NAMESPACES_MAX: usize = 16;

/// `NS_GET_USERNS`, ioctl_ns(2).
const NS_GET_USERNS: libc::c_ulong = 0xb701;
const FIRST: u32 = 1;

/// Why the mounts of a namespace give no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It belongs to a user namespace that anybody may have made.
    UserNamespace,
    /// A governed task mounted in it.
    Agents,
}

/// A mount namespace whose table is open. It lives for as long as this does.
#[derive(Debug)]
pub struct Namespace {
    number: u32,
    table: Mutex<MountWatch>,
}

/// Inode of the mount namespace that a process is in.
///
/// # Errors
/// The process is gone, or is another user's.
pub fn number(pid: u32) -> Result<u32, Error> {
    let path = format!("/proc/{pid}/ns/mnt");
    let inode = fs::metadata(&path).map_err(Error::file(&path))?.ino();
    // nsfs counts with 32 bits.
    Ok(u32::try_from(inode).unwrap_or_default())
}

/// Inode of the host's own mount namespace.
///
/// # Errors
/// Neither the first process is visible nor this one.
pub fn host_number() -> Result<u32, Error> {
    number(FIRST).or_else(|_| number(std::process::id()))
}

impl Namespace {
    /// The namespace that the process is in; a doubt when it is not the host's user namespace's.
    ///
    /// # Errors
    /// The process is gone, or the namespace cannot be entered.
    pub fn of(pid: u32) -> Result<Result<Namespace, Doubt>, Error> {
        let path = format!("/proc/{pid}/ns/mnt");
        let namespace = File::open(&path).map_err(Error::file(&path))?;
        if !is_of_the_host(&namespace)? {
            return Ok(Err(Doubt::UserNamespace));
        }
        let number = u32::try_from(identity(&namespace)?.1).unwrap_or_default();
        let table = thread::spawn(move || table_of(&namespace)).join();
        let file = table.unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()));
        let file = file.map_err(|source| Error::Io {
            what: "a container's mounts",
            source,
        })?;
        Ok(Ok(Namespace {
            number,
            table: Mutex::new(MountWatch { file }),
        }))
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is mounted in it now.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn mounts(&self) -> Result<Mounts, Error> {
        let mut table = self
            .table
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Mounts::read_file(&mut table.file)
    }

    /// Tells of changes: another descriptor of the same open table.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn watch(&self) -> Result<MountWatch, Error> {
        let table = self
            .table
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let file = table.file.try_clone().map_err(|source| Error::Io {
            what: "a mount table",
            source,
        })?;
        Ok(MountWatch { file })
    }
}

impl Programs {
    /// From now on every mount of a governed task in this namespace is judged. False: one that was
    /// not came first. Call it before the namespace's table is read.
    ///
    /// # Errors
    /// Nothing is attached, or the map has no room.
    pub fn believe(&self, namespace: u32) -> Result<bool, Error> {
        let map = self.attached()?.map("namespaces")?;
        let key = namespace.to_ne_bytes();
        let believed = TYR_NAMESPACE_BELIEVED.to_ne_bytes();
        match map.update(&key, &believed, MapFlags::NO_EXIST) {
            Err(error) if error.kind() == libbpf_rs::ErrorKind::AlreadyExists => {
                let found = map.lookup(&key, MapFlags::ANY);
                let found = found.map_err(Error::bpf("read the namespaces"))?;
                Ok(found.is_some_and(|state| state == believed))
            }
            result => result
                .map(|()| true)
                .map_err(Error::bpf("believe a namespace")),
        }
    }

    /// The opposite of `believe`, for a namespace that no session is in any more.
    ///
    /// # Errors
    /// Nothing is attached.
    pub fn doubt(&self, namespace: u32) -> Result<(), Error> {
        let map = self.attached()?.map("namespaces")?;
        match map.delete(&namespace.to_ne_bytes()) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(Error::bpf("doubt a namespace")(error))
            }
            _ => Ok(()),
        }
    }
}

/// The host's own namespace is believed before the first program can look.
pub(crate) fn believe_host(map: &MapHandle) -> Result<(), Error> {
    let Ok(number) = host_number() else {
        // What cannot be seen here is judged by nobody: the daemon reads no table of it either.
        return Ok(());
    };
    let believed = TYR_NAMESPACE_BELIEVED.to_ne_bytes();
    map.update(&number.to_ne_bytes(), &believed, MapFlags::ANY)
        .map_err(Error::bpf("believe the host's mounts"))
}

fn identity(namespace: &File) -> Result<(u64, u64), Error> {
    let found = namespace.metadata().map_err(|source| Error::Io {
        what: "a namespace",
        source,
    })?;
    Ok((found.dev(), found.ino()))
}

/// Whether the namespace belongs to the user namespace of the first process.
fn is_of_the_host(namespace: &File) -> Result<bool, Error> {
    // SAFETY: the request takes no argument and gives a new descriptor.
    let owner = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) };
    if owner < 0 {
        let source = std::io::Error::last_os_error();
        return Err(Error::Io {
            what: "the owner of a mount namespace",
            source,
        });
    }
    // SAFETY: the call succeeded, and nobody else owns the descriptor.
    let owner = File::from(unsafe { OwnedFd::from_raw_fd(owner) });
    let path = format!("/proc/{FIRST}/ns/user");
    let host = fs::metadata(&path).map_err(Error::file(&path))?;
    Ok(identity(&owner)? == (host.dev(), host.ino()))
}

/// Enters the namespace with this thread, which must end after it, and opens its mount table as it
/// is seen from its root.
fn table_of(namespace: &File) -> std::io::Result<File> {
    // The folder is the host's /proc: the container's may be anything.
    let proc = File::open("/proc")?;
    let check = |result: i32| match result {
        0.. => Ok(result),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: descriptors are open, the path ends with NUL; root and working directory are this
    // thread's own after the first call, so no other thread sees them change.
    unsafe {
        check(libc::unshare(libc::CLONE_FS))?;
        check(libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNS))?;
        let path = c"thread-self/mountinfo".as_ptr();
        let table = check(libc::openat(
            proc.as_raw_fd(),
            path,
            libc::O_RDONLY | libc::O_CLOEXEC,
        ))?;
        Ok(File::from(OwnedFd::from_raw_fd(table)))
    }
}
