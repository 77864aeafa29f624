//! Making processes that already run members of a session.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use libbpf_rs::{MapCore, MapFlags};

use super::error::Error;
use super::load::Programs;
use super::mounts::Mounts;
use super::record::Place;
use super::sessions::run_iterator;
use super::skel::{tyr_session, tyr_task};

/// `TYR_TAGS_MAX`.
const TAGS_MAX: usize = 16384;
/// Passes before a tree that keeps forking is given up.
const PASSES_MAX: usize = 64;
/// Between passes: longer than a fork takes from task_alloc to the task list.
const PASS_TIME: Duration = Duration::from_millis(5);
const TASK_AGENT: u32 = 8;
const TASK_EXE_UNSETTLED: u32 = 4;
const EXE_MAX: usize = 256;

/// A process that is an agent and was there before the programs were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningAgent {
    pub tgid: u32,
    /// Number of the agent type.
    pub agent_type: u32,
}

impl Programs {
    /// Starts a session for a running process: all of its threads, and all descendants with
    /// theirs. Returns the session's number.
    ///
    /// Executables are what /proc says of them now; one that has no name on the host counts as not
    /// known. New children inherit from the moment that their parent is tagged; the tree is read again
    /// until a pass finds nothing new.
    ///
    /// # Errors
    /// Nothing is attached, the process is gone, there is no room, or the tree does not settle.
    pub fn tag_process(&self, agent: RunningAgent) -> Result<u64, Error> {
        let number = self.start_session(agent)?;
        let result = self.tag_tree(agent, number);
        if result.is_err() {
            self.remove_session(number)?;
        }
        self.clear_tags()?;
        result.map(|()| number)
    }

    /// Starts a session for one process that has one thread and makes no other: no tree is read.
    /// Its executable counts as not known.
    ///
    /// # Errors
    /// Nothing is attached, the process is gone, or there is no room.
    pub(crate) fn tag_child(&self, agent: RunningAgent) -> Result<u64, Error> {
        let number = self.start_session(agent)?;
        let tag = || {
            let attached = self.attached()?;
            let task = identity(number, None);
            // SAFETY: `tyr_task` is Plain: integers without padding.
            let bytes = unsafe { plain::as_bytes(&task) };
            attached
                .map("tagging")?
                .update(&agent.tgid.to_ne_bytes(), bytes, MapFlags::ANY)
                .map_err(Error::bpf("tag a process"))?;
            let tagged = run_iterator(&attached.tag)?;
            if tagged
                .iter()
                .any(|task| task.tgid == agent.tgid && task.session == number)
            {
                Ok(())
            } else {
                Err(Error::Unstable)
            }
        };
        let result = tag();
        if result.is_err() {
            self.remove_session(number)?;
        }
        self.clear_tags()?;
        result.map(|()| number)
    }

    fn tag_tree(&self, agent: RunningAgent, number: u64) -> Result<(), Error> {
        let attached = self.attached()?;
        let tags = attached.map("tagging")?;
        let mounts = Mounts::read()?;
        let mut known = BTreeSet::new();
        let mut quiet = 0;
        for _ in 0..PASSES_MAX {
            let tree = descendants(agent.tgid);
            if tree.len() > TAGS_MAX {
                return Err(Error::TooMany {
                    found: tree.len(),
                    limit: TAGS_MAX,
                });
            }
            for tgid in tree.difference(&known) {
                let task = identity(number, executable(*tgid, &mounts).as_ref());
                // SAFETY: `tyr_task` is Plain: integers without padding.
                let bytes = unsafe { plain::as_bytes(&task) };
                tags.update(&tgid.to_ne_bytes(), bytes, MapFlags::ANY)
                    .map_err(Error::bpf("tag a process"))?;
            }
            let grew = tree.iter().any(|tgid| !known.contains(tgid));
            known.extend(tree);
            let tagged = run_iterator(&attached.tag)?;
            quiet = if grew || !tagged.is_empty() {
                0
            } else {
                quiet + 1
            };
            if quiet == 2 {
                return Ok(());
            }
            thread::sleep(PASS_TIME);
        }
        Err(Error::Unstable)
    }

    /// The entry of a new session.
    fn start_session(&self, agent: RunningAgent) -> Result<u64, Error> {
        let number = self.new_session_number()?;
        let start = start_boot_ns(agent.tgid)?;
        let mut session = tyr_session {
            type_count: 1,
            root_tgid: agent.tgid,
            root_start_boot_ns: start,
            ..tyr_session::default()
        };
        session.r#type[0] = agent.agent_type;
        self.write_session(number, &session, MapFlags::NO_EXIST)?;
        Ok(number)
    }

    fn clear_tags(&self) -> Result<(), Error> {
        let tags = self.attached()?.map("tagging")?;
        let keys: Vec<_> = tags.keys().collect();
        for key in keys {
            tags.delete(&key).map_err(Error::bpf("clear a tag"))?;
        }
        self.sessions_changed()
    }

    /// Numbers come from the same counter as those of the programs, from its other end: user
    /// space cannot add to the counter in one step.
    fn new_session_number(&self) -> Result<u64, Error> {
        let taken: BTreeSet<u64> = self
            .sessions()?
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        let live = self.live_sessions()?;
        let used = taken
            .union(&live)
            .filter(|number| **number >= USER_NUMBERS)
            .max();
        let boot_ns = boot_clock_ns();
        // Later than every number that a session of this boot had, also one that is forgotten.
        Ok(used
            .map_or(0, |number| number + 1)
            .max(USER_NUMBERS | boot_ns))
    }
}

/// Numbers that user space gives have the highest bit.
const USER_NUMBERS: u64 = 1 << 63;

/// CLOCK_BOOTTIME now, nanoseconds.
pub fn boot_clock_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

fn identity(number: u64, exe: Option<&Place>) -> tyr_task {
    let mut task = tyr_task {
        session: number,
        exec_boot_ns: boot_clock_ns(),
        flags: TASK_AGENT | TASK_EXE_UNSETTLED,
        ..tyr_task::default()
    };
    if let Some(exe) = exe.filter(|exe| exe.path.len() <= EXE_MAX) {
        task.flags = TASK_AGENT;
        task.exe_dev = exe.dev;
        task.exe_ino = exe.ino;
        task.exe_len = u32::try_from(exe.path.len()).unwrap_or_default();
        task.exe[..exe.path.len()].copy_from_slice(&exe.path);
    }
    task
}

/// The executable of a running process, where its name on the host leads to the same file.
fn executable(tgid: u32, mounts: &Mounts) -> Option<Place> {
    let link = format!("/proc/{tgid}/exe");
    let path = fs::read_link(&link).ok()?;
    let running = fs::metadata(&link).ok()?;
    let named = fs::metadata(&path).ok()?;
    if (running.dev(), running.ino()) != (named.dev(), named.ino()) {
        return None;
    }
    let (dev, path) = mounts.inside(path.as_os_str().as_bytes())?;
    Some(Place {
        dev,
        ino: running.ino(),
        path,
    })
}

/// A process and everything below it, by the parents that /proc tells.
fn descendants(root: u32) -> BTreeSet<u32> {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let Some(tgid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = stat_field(tgid, 1) {
            children
                .entry(u32::try_from(parent).unwrap_or_default())
                .or_default()
                .push(tgid);
        }
    }
    let mut found = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(tgid) = open.pop() {
        for child in children.get(&tgid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

/// Field of /proc/PID/stat, counted from the state, which follows the name.
fn stat_field(tgid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(index)?.parse().ok()
}

/// Start of a process on CLOCK_BOOTTIME, as precise as /proc tells it.
fn start_boot_ns(tgid: u32) -> Result<u64, Error> {
    const START_TIME: usize = 19;
    let ticks = stat_field(tgid, START_TIME).ok_or_else(|| Error::File {
        path: format!("/proc/{tgid}/stat").into(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    // SAFETY: no pointers are involved.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let per_second = u64::try_from(per_second).unwrap_or(100).max(1);
    Ok(ticks * (1_000_000_000 / per_second))
}
