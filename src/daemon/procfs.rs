//! What /proc tells about a process.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Longest command line that is read; the rest is not worth the memory.
const CMDLINE_BYTES_MAX: u64 = 64 * 1024;
const STAT_BYTES_MAX: u64 = 4096;
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// A /proc folder. Tests give one of their own.
#[derive(Clone, Debug)]
pub struct Procfs {
    root: PathBuf,
}

impl Default for Procfs {
    fn default() -> Procfs {
        Procfs {
            root: PathBuf::from("/proc"),
        }
    }
}

/// The fields of /proc/PID/stat that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub comm: String,
    pub parent_pid: u32,
    pub has_terminal: bool,
    /// Start since boot, as exact as a clock tick.
    pub start_boot_ns: u64,
}

impl Stat {
    /// Whether this is the process that started at `start_boot_ns`, to a clock tick.
    pub fn started_at(&self, start_boot_ns: u64) -> bool {
        self.start_boot_ns.abs_diff(start_boot_ns) <= NANOSECONDS_PER_TICK
    }
}

impl Procfs {
    pub fn at(root: &Path) -> Procfs {
        Procfs {
            root: root.to_owned(),
        }
    }

    /// All processes, ascending. A folder that cannot be read is none.
    pub fn pids(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut pids: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        pids
    }

    pub fn stat(&self, pid: u32) -> Option<Stat> {
        let text = self.text(pid, "stat", STAT_BYTES_MAX)?;
        parse_stat(&text)
    }

    /// Arguments, with those that are not UTF-8 taken with replacements.
    pub fn arguments(&self, pid: u32) -> Vec<String> {
        let text = self
            .text(pid, "cmdline", CMDLINE_BYTES_MAX)
            .unwrap_or_default();
        let text = text.strip_suffix('\0').unwrap_or(&text);
        if text.is_empty() {
            Vec::new()
        } else {
            text.split('\0').map(str::to_owned).collect()
        }
    }

    /// Path of the executable as its process sees it; `None` for kernel threads and the dead.
    pub fn exe(&self, pid: u32) -> Option<Vec<u8>> {
        let path = fs::read_link(self.path(pid, "exe"))
            .ok()?
            .into_os_string()
            .into_vec();
        path.starts_with(b"/").then_some(path)
    }

    /// Real user of the process.
    pub fn uid(&self, pid: u32) -> Option<u32> {
        let status = self.text(pid, "status", STAT_BYTES_MAX)?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    pub fn cwd(&self, pid: u32) -> Option<PathBuf> {
        fs::read_link(self.path(pid, "cwd")).ok()
    }

    /// The process's cgroup in the unified hierarchy, else the deepest one of the others.
    pub fn cgroup(&self, pid: u32) -> Option<String> {
        let text = self.text(pid, "cgroup", CMDLINE_BYTES_MAX)?;
        let path = |line: &str| line.splitn(3, ':').nth(2).map(str::to_owned);
        let unified = text
            .lines()
            .find(|line| line.starts_with("0::"))
            .and_then(path);
        match unified {
            Some(path) if path != "/" => Some(path),
            _ => text
                .lines()
                .filter_map(path)
                .max_by_key(String::len)
                .or(unified),
        }
    }

    /// Files that the process has open or mapped, as far as /proc tells.
    pub fn files(&self, pid: u32) -> Vec<Vec<u8>> {
        let maps = fs::read(self.path(pid, "maps")).unwrap_or_default();
        let mapped = maps.split(|byte| *byte == b'\n').filter_map(|line| {
            line.iter()
                .position(|byte| *byte == b'/')
                .map(|at| line[at..].to_vec())
        });
        let descriptors = fs::read_dir(self.path(pid, "fd"))
            .into_iter()
            .flatten()
            .flatten();
        let opened = descriptors
            .filter_map(|entry| {
                Some(
                    fs::read_link(entry.path())
                        .ok()?
                        .into_os_string()
                        .into_vec(),
                )
            })
            .filter(|path| path.starts_with(b"/"));
        let mut files: Vec<Vec<u8>> = mapped.chain(opened).collect();
        files.sort();
        files.dedup();
        files
    }

    fn path(&self, pid: u32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }

    fn text(&self, pid: u32, name: &str, bytes_max: u64) -> Option<String> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.path(pid, name)).ok()?;
        file.take(bytes_max).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The name is in parentheses and may itself hold any character, hence the last `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (head, tail) = text.rsplit_once(')')?;
    let comm = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let ticks: u64 = fields.get(19)?.parse().ok()?;
    Some(Stat {
        comm,
        parent_pid: fields.get(1)?.parse().ok()?,
        has_terminal: fields.get(4)? != &"0",
        start_boot_ns: ticks * NANOSECONDS_PER_TICK,
    })
}

#[cfg(test)]
mod tests;
