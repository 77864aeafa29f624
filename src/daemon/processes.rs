//! Processes of agents: who started whom, running what.
//!
//! Fed by the kernel's exec and exit records; /proc fills in what they do not carry. A process is
//! its pid and its start, so a number that is used again is another process.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use crate::model::event::{Ancestor, Process, path_text};

use super::container;
use super::kernel::Subject;
use super::procfs::Procfs;
use super::redact;
use super::users::Users;

/// Most processes remembered; past that the ones that ended first are forgotten first, then the
/// oldest.
pub const PROCESSES_MAX: usize = 32_768;
/// An ended process is remembered this long, for the lineage of children that outlive it.
const ENDED_KEPT_NS: u64 = 60_000_000_000;
/// Longest lineage; a deeper tree is cut.
pub const LINEAGE_MAX: usize = 32;

/// The registry.
pub struct Processes {
    procfs: Procfs,
    users: Users,
    by_key: HashMap<Key, Known>,
    /// Newest start of each pid.
    by_pid: HashMap<u32, u64>,
    ended: VecDeque<(u64, Key)>,
    order: VecDeque<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    pid: u32,
    start_boot_ns: u64,
}

#[derive(Clone, Debug)]
struct Known {
    parent_pid: u32,
    session: u64,
    exec_boot_ns: u64,
    exe: String,
    args: Vec<String>,
    container: String,
    interactive: bool,
}

impl Processes {
    pub fn new(procfs: Procfs, passwd: &Path) -> Processes {
        Processes {
            procfs,
            users: Users::of_file(passwd),
            by_key: HashMap::new(),
            by_pid: HashMap::new(),
            ended: VecDeque::new(),
            order: VecDeque::new(),
        }
    }

    /// The process of a record, with everything that can be told of it. `exe` is its real path,
    /// `root_pid` the first process of its session, 0 when that is not known.
    pub fn describe(&mut self, subject: &Subject, exe: Option<&[u8]>, root_pid: u32) -> Process {
        let known = self.learn(subject, exe).clone();
        let lineage = self.lineage(&known, subject.session, root_pid, subject.pid);
        Process {
            pid: subject.pid,
            parent_pid: subject.parent_pid,
            start_boot_ns: subject.start_boot_ns,
            uid: subject.uid,
            user: self.users.name(subject.uid),
            exe: known.exe,
            comm: subject.comm.clone(),
            args: known.args,
            container: known.container,
            lineage,
        }
    }

    /// The process runs another program from now on.
    pub fn execed(&mut self, subject: &Subject, exe: &[u8]) {
        self.by_key.remove(&key(subject));
        self.learn(subject, Some(exe));
    }

    /// The process has ended. It stays known for a while.
    pub fn exited(&mut self, subject: &Subject) {
        self.ended.push_back((subject.boot_ns, key(subject)));
        while let Some((at, key)) = self.ended.front().copied() {
            let is_due = subject.boot_ns.saturating_sub(at) > ENDED_KEPT_NS;
            if !is_due && self.ended.len() <= PROCESSES_MAX {
                break;
            }
            self.ended.pop_front();
            self.forget(key);
        }
    }

    /// Whether the process has a terminal.
    pub fn is_interactive(&mut self, subject: &Subject) -> bool {
        self.learn(subject, None).interactive
    }

    pub fn user(&mut self, uid: u32) -> String {
        self.users.name(uid)
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    fn learn(&mut self, subject: &Subject, exe: Option<&[u8]>) -> &Known {
        let key = key(subject);
        let is_stale = self
            .by_key
            .get(&key)
            .is_some_and(|known| known.exec_boot_ns != subject.exec_boot_ns);
        if is_stale {
            self.by_key.remove(&key);
        }
        if !self.by_key.contains_key(&key) {
            self.make_room();
            let known = self.ask_procfs(subject, exe);
            self.by_key.insert(key, known);
            self.by_pid.insert(key.pid, key.start_boot_ns);
            self.order.push_back(key);
        }
        let known = self
            .by_key
            .get_mut(&key)
            .expect("it was inserted when it was missing");
        if known.exe.is_empty()
            && let Some(exe) = exe
        {
            known.exe = path_text(exe);
        }
        known.parent_pid = subject.parent_pid;
        known.session = subject.session;
        known
    }

    /// /proc is asked only when it still shows the same process.
    fn ask_procfs(&self, subject: &Subject, exe: Option<&[u8]>) -> Known {
        let stat = self.procfs.stat(subject.pid);
        let stat = stat.filter(|stat| stat.started_at(subject.start_boot_ns));
        let mut known = Known {
            parent_pid: subject.parent_pid,
            session: subject.session,
            exec_boot_ns: subject.exec_boot_ns,
            exe: exe.map(path_text).unwrap_or_default(),
            args: Vec::new(),
            container: String::new(),
            interactive: false,
        };
        let Some(stat) = stat else { return known };
        known.interactive = stat.has_terminal;
        let args = self.procfs.arguments(subject.pid);
        known.args = redact::arguments(args.iter().map(String::as_str));
        known.container = self
            .procfs
            .cgroup(subject.pid)
            .map(|path| container::id(&path))
            .unwrap_or_default();
        if known.exe.is_empty() {
            known.exe = self
                .procfs
                .exe(subject.pid)
                .map(|exe| path_text(&exe))
                .unwrap_or_default();
        }
        known
    }

    /// Ancestors up to the session's root, nearest first. /proc is asked about those that no
    /// record has told of: they ran before this daemon did.
    fn lineage(&mut self, known: &Known, session: u64, root_pid: u32, pid: u32) -> Vec<Ancestor> {
        let mut lineage = Vec::new();
        if session == 0 || pid == root_pid {
            return lineage;
        }
        let mut pid = known.parent_pid;
        while pid > 1 && lineage.len() < LINEAGE_MAX {
            let start_boot_ns = self.by_pid.get(&pid).copied();
            let registered = start_boot_ns
                .and_then(|start_boot_ns| self.by_key.get(&Key { pid, start_boot_ns }));
            let (exe, parent_pid) = match registered {
                Some(parent) if parent.session == session => {
                    (parent.exe.clone(), parent.parent_pid)
                }
                // Another session, or none: the agent's root lies below.
                Some(_) => break,
                None => match self.procfs.stat(pid) {
                    Some(stat) if root_pid != 0 => {
                        let exe = self.procfs.exe(pid).unwrap_or_default();
                        (path_text(&exe), stat.parent_pid)
                    }
                    _ => break,
                },
            };
            lineage.push(Ancestor { pid, exe });
            if pid == root_pid {
                break;
            }
            pid = parent_pid;
        }
        lineage
    }

    fn make_room(&mut self) {
        while self.by_key.len() >= PROCESSES_MAX {
            let ended = self.ended.pop_front().map(|(_, key)| key);
            let Some(key) = ended.or_else(|| self.order.pop_front()) else {
                break;
            };
            self.forget(key);
        }
        // Keys of processes long gone must not pile up in the order of arrival.
        while self.order.len() > 2 * PROCESSES_MAX {
            self.order.pop_front();
        }
    }

    fn forget(&mut self, key: Key) {
        self.by_key.remove(&key);
        if self.by_pid.get(&key.pid) == Some(&key.start_boot_ns) {
            self.by_pid.remove(&key.pid);
        }
    }
}

fn key(subject: &Subject) -> Key {
    Key {
        pid: subject.pid,
        start_boot_ns: subject.start_boot_ns,
    }
}

#[cfg(test)]
mod tests;
