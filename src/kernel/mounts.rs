//! Mount tables: where each file system's paths are, on the host and in containers.
//!
//! Source: `/proc/1/mountinfo`, as proc_pid_mountinfo(5) describes it.

pub mod namespaces;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use super::error::Error;
use crate::policy::compile::{Alias, Superblock};

pub use tables::Tables;

/// Most bytes of a mount table that are read.
const MOUNTINFO_BYTES_MAX: u64 = 16 << 20;

/// A mount table, in the order of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    mounts: Vec<(u32, Alias)>,
}

impl Mounts {
    /// The table of the host's first process; without the right to see that, of this process.
    ///
    /// # Errors
    /// Neither file can be read.
    pub fn read() -> Result<Mounts, Error> {
        let path = table_path();
        let mut file = File::open(path).map_err(Error::file(path))?;
        Mounts::read_file(&mut file)
    }

    fn read_file(file: &mut File) -> Result<Mounts, Error> {
        let mut bytes = Vec::new();
        file.rewind()
            .and_then(|()| file.take(MOUNTINFO_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|source| Error::Io {
                what: "read of a mount table",
                source,
            })?;
        Ok(Mounts::parse(&bytes))
    }

    /// Reads a mountinfo file's bytes. A line that is not one is left out: its file system is then
    /// not listed, and what lies on it is not settled.
    pub fn parse(bytes: &[u8]) -> Mounts {
        Mounts {
            mounts: bytes
                .split(|&byte| byte == b'\n')
                .filter_map(line)
                .collect(),
        }
    }

    /// Every file system and where it is mounted, without repetition, by device.
    ///
    /// Mounts that another one covers are kept: an object in one can still be open, and it keeps
    /// the name that rules know it by.
    pub fn superblocks(&self) -> Vec<Superblock> {
        let mut aliases = BTreeMap::<u32, Vec<Alias>>::new();
        for (dev, alias) in &self.mounts {
            let list = aliases.entry(*dev).or_default();
            if !list.contains(alias) {
                list.push(alias.clone());
            }
        }
        aliases
            .into_iter()
            .map(|(dev, aliases)| Superblock { dev, aliases })
            .collect()
    }

    /// Where an object is on the host, by its file system and the path inside it (empty: its
    /// root). Paths that other mounts cover come only when there is no other; empty when the file
    /// system is not mounted on the host.
    pub fn host_path(&self, dev: u32, path: &[u8]) -> Vec<Vec<u8>> {
        let path = if path == b"/" { b"" } else { path };
        let mut visible = Vec::new();
        let mut covered = Vec::new();
        for (index, (_, alias)) in self.mounts.iter().enumerate().filter(|(_, m)| m.0 == dev) {
            let Some(rest) = below(path, &alias.root) else {
                continue;
            };
            let joined = join(&alias.mount_point, rest);
            let list = if self.top(&joined) == Some(index) {
                &mut visible
            } else {
                &mut covered
            };
            if !list.contains(&joined) {
                list.push(joined);
            }
        }
        if visible.is_empty() { covered } else { visible }
    }

    /// The other way: the file system and the path inside it of an absolute path of the host that
    /// leads through no symlink.
    pub fn inside(&self, path: &[u8]) -> Option<(u32, Vec<u8>)> {
        let (dev, alias) = &self.mounts[self.top(path)?];
        let rest = below(path, &alias.mount_point)?;
        let rest = if rest == b"/" { b"" } else { rest };
        let root = if alias.root == b"/" {
            b"".as_slice()
        } else {
            &alias.root
        };
        Some((*dev, [root, rest].concat()))
    }

    /// Which mount a walk from `/` to `path` ends in: the last one of the longest mount point.
    fn top(&self, path: &[u8]) -> Option<usize> {
        let points = self.mounts.iter().enumerate();
        points
            .filter(|(_, (_, alias))| below(path, &alias.mount_point).is_some())
            .max_by_key(|(index, (_, alias))| (alias.mount_point.len(), *index))
            .map(|(index, _)| index)
    }
}

/// Tells when the mount table changes.
#[derive(Debug)]
pub struct MountWatch {
    file: File,
}

impl MountWatch {
    /// # Errors
    /// The mount table cannot be opened.
    pub fn new() -> Result<MountWatch, Error> {
        let path = table_path();
        Ok(MountWatch {
            file: File::open(path).map_err(Error::file(path))?,
        })
    }

    /// Whether the table changed within `timeout`, or since the last call.
    ///
    /// # Errors
    /// poll(2) fails.
    pub fn wait_for_change(&self, timeout: Duration) -> Result<bool, Error> {
        MountWatch::wait_for_any(&[self], timeout)
    }

    /// Whether one of several tables changed within `timeout`, or since the last call.
    ///
    /// # Errors
    /// poll(2) fails.
    pub fn wait_for_any(watches: &[&MountWatch], timeout: Duration) -> Result<bool, Error> {
        let poll = |watch: &&MountWatch| libc::pollfd {
            fd: watch.file.as_raw_fd(),
            events: libc::POLLPRI,
            revents: 0,
        };
        let mut polls: Vec<libc::pollfd> = watches.iter().map(poll).collect();
        let count = polls.len() as libc::nfds_t;
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `polls` are valid pollfds that live through the call.
        let ready = unsafe { libc::poll(polls.as_mut_ptr(), count, timeout_ms) };
        if ready >= 0 {
            let changed = libc::POLLPRI | libc::POLLERR;
            return Ok(polls.iter().any(|poll| poll.revents & changed != 0));
        }
        let source = std::io::Error::last_os_error();
        if source.kind() == std::io::ErrorKind::Interrupted {
            return Ok(false);
        }
        Err(Error::Io {
            what: "poll of the mount table",
            source,
        })
    }
}

/// The kernel's encoding of a device number in `super_block.s_dev`.
pub fn device_number(major: u32, minor: u32) -> u32 {
    major << 20 | minor & 0xf_ffff
}

fn table_path() -> &'static Path {
    let first = Path::new("/proc/1/mountinfo");
    if fs::metadata(first).is_ok() && File::open(first).is_ok() {
        first
    } else {
        Path::new("/proc/self/mountinfo")
    }
}

/// `id parent major:minor root point options …`
fn line(line: &[u8]) -> Option<(u32, Alias)> {
    let mut fields = line.split(|&byte| byte == b' ').skip(2);
    let device = std::str::from_utf8(fields.next()?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let dev = device_number(major.parse().ok()?, minor.parse().ok()?);
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    // Mounts of namespaces and the like have a root that is not a path.
    (root.starts_with(b"/") && point.starts_with(b"/")).then_some((
        dev,
        Alias {
            root,
            mount_point: point,
        },
    ))
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| {
            first == b'\\' && digits[0] < b'4' && digits.iter().all(|d| (b'0'..b'8').contains(d))
        });
        if let Some(digits) = digits {
            bytes.push(
                digits
                    .iter()
                    .fold(0, |value, digit| value << 3 | (digit - b'0')),
            );
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    // A root that was removed while it is mounted; the object keeps its name.
    if let Some(stripped) = bytes.strip_suffix(b"//deleted") {
        return stripped.to_vec();
    }
    bytes
}

/// What follows `top` in `path`: empty or beginning with a slash; `None` when it is not below.
fn below<'a>(path: &'a [u8], top: &[u8]) -> Option<&'a [u8]> {
    if top == b"/" {
        return Some(path);
    }
    path.strip_prefix(top)
        .filter(|rest| rest.is_empty() || rest[0] == b'/')
}

fn join(point: &[u8], rest: &[u8]) -> Vec<u8> {
    match (point, rest) {
        (b"/", b"") => b"/".to_vec(),
        (b"/", rest) => rest.to_vec(),
        (point, rest) => [point, rest].concat(),
    }
}
