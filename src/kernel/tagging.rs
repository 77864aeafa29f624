//! Making processes that already run members of a session.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use libbpf_rs::{MapCore, MapFlags};

use super::abi;
use super::error::Error;
use super::load::Programs;
use super::mounts::Mounts;
use super::record::Place;
use super::sessions::run_iterator;
use super::skel::{tyr_config, tyr_session, tyr_task};

/// Most processes that one pass tags.
pub(super) const TAGS_MAX: usize = abi::TYR_TAGS_MAX as usize;
/// Passes before a tree that keeps forking is given up.
const PASSES_MAX: usize = 64;
/// Between passes: longer than a fork takes from task_alloc to the task list.
const PASS_TIME: Duration = Duration::from_millis(5);
const TASK_AGENT: u32 = abi::TYR_TASK_AGENT;
const TASK_INTERPRETER: u32 = abi::TYR_TASK_INTERPRETER;
const TASK_EXE_UNSETTLED: u32 = abi::TYR_TASK_EXE_UNSETTLED;
const EXE_MAX: usize = abi::TYR_EXE_MAX as usize;

/// A process that is an agent and was there before the programs were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningAgent {
    pub tgid: u32,
    /// Number of the agent type.
    pub agent_type: u32,
}

/// The same inside other agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedAgent {
    pub tgid: u32,
    /// Numbers of all agent types whose rules hold, outermost first.
    pub agent_types: Vec<u32>,
    /// The agent right around this one.
    pub around: Option<u32>,
}

/// A process, and its session or why it has none.
pub type Tagged = (u32, Result<u64, Error>);

impl Programs {
    /// Starts a session for a running process: all of its threads, and all descendants with
    /// theirs. Returns the session's number.
    ///
    /// # Errors
    /// Nothing is attached, the process is gone, there is no room, or the tree does not settle.
    pub fn tag_process(&self, agent: RunningAgent) -> Result<u64, Error> {
        let nested = NestedAgent {
            tgid: agent.tgid,
            agent_types: vec![agent.agent_type],
            around: None,
        };
        let mut tagged = self.tag_processes(&[nested])?;
        tagged
            .pop()
            .map_or(Err(Error::Unstable), |(_, tagged)| tagged)
    }

    /// Starts a session for each of several running agents, which may be inside one another, and
    /// gives it to all threads and descendants that are in no agent further in.
    ///
    /// Executables are what /proc says of them now; one that has no name on the host counts as not
    /// known. New children inherit from the moment that their parent is tagged; the tree is read
    /// again until a pass finds nothing new, and who was born meanwhile is known by its birth,
    /// also when its parent is gone.
    ///
    /// # Errors
    /// Nothing is attached. What goes wrong with one agent comes back with it.
    pub fn tag_processes(&self, agents: &[NestedAgent]) -> Result<Vec<Tagged>, Error> {
        self.settle(true)?;
        let tagged = self.tag_from_inside(agents);
        self.settle(false)?;
        // Births are forgotten by a pass of their own.
        run_iterator(&self.attached()?.tag)?;
        Ok(tagged)
    }

    /// Makes interpreters that run already candidates: what they open from now on may show that
    /// they are agents. Those that carry an identity keep it.
    ///
    /// # Errors
    /// Nothing is attached, or the maps cannot be written.
    pub fn tag_interpreters(&self, tgids: &[u32]) -> Result<(), Error> {
        let mounts = Mounts::read()?;
        let mut number = self.new_session_number()?;
        for part in tgids.chunks(TAGS_MAX) {
            for tgid in part {
                let mut task = identity(0, executable(*tgid, &mounts).as_ref());
                task.flags = task.flags & !TASK_AGENT | TASK_INTERPRETER;
                task.candidate = number;
                number += 1;
                self.want(*tgid, &task)?;
            }
            run_iterator(&self.attached()?.tag)?;
            self.clear_tags()?;
        }
        Ok(())
    }

    fn tag_from_inside(&self, agents: &[NestedAgent]) -> Vec<Tagged> {
        let mut from_outside: Vec<&NestedAgent> = agents.iter().collect();
        from_outside.sort_by_key(|agent| agent.agent_types.len());
        let mut numbers = BTreeMap::new();
        let mut failed = Vec::new();
        for agent in &from_outside {
            let parent = agent.around.and_then(|around| numbers.get(&around));
            match self.start_session(agent.tgid, &agent.agent_types, parent.copied().unwrap_or(0)) {
                Ok(number) => drop(numbers.insert(agent.tgid, number)),
                Err(error) => failed.push((agent.tgid, Err(error))),
            }
        }
        // Who is tagged is not tagged again, so the inner agents come first.
        let mut tagged = failed;
        for agent in from_outside.iter().rev() {
            let Some(number) = numbers.get(&agent.tgid).copied() else {
                continue;
            };
            let result = self
                .tag_tree(agent.tgid, number)
                .and_then(|()| self.clear_tags());
            let result = match result {
                Ok(()) => Ok(number),
                Err(error) => {
                    let undone = self.clear_tags().and_then(|()| self.remove_session(number));
                    Err(undone.err().unwrap_or(error))
                }
            };
            tagged.push((agent.tgid, result));
        }
        tagged
    }

    /// Whether births are noted.
    fn settle(&self, settling: bool) -> Result<(), Error> {
        let map = self.attached()?.map("config")?;
        let key = 0u32.to_ne_bytes();
        let failed = |what: &str| Error::bpf(what.to_owned());
        let value = map
            .lookup(&key, MapFlags::ANY)
            .map_err(failed("read the configuration"))?;
        let mut config = tyr_config::default();
        let value = value.unwrap_or_default();
        plain::copy_from_bytes(&mut config, &value).map_err(|_| Error::Layout {
            map: "config",
            found: value.len(),
            expected: size_of::<tyr_config>(),
        })?;
        config.settling = u32::from(settling);
        // SAFETY: `tyr_config` is Plain: integers without padding.
        let bytes = unsafe { plain::as_bytes(&config) };
        map.update(&key, bytes, MapFlags::ANY)
            .map_err(failed("write the configuration"))
    }

    /// Starts a session for one process that has one thread and makes no other: no tree is read.
    /// Its executable counts as not known.
    ///
    /// # Errors
    /// Nothing is attached, the process is gone, or there is no room.
    pub(crate) fn tag_child(&self, agent: RunningAgent) -> Result<u64, Error> {
        let number = self.start_session(agent.tgid, &[agent.agent_type], 0)?;
        let tag = || {
            self.want(agent.tgid, &identity(number, None))?;
            let tagged = run_iterator(&self.attached()?.tag)?;
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

    fn tag_tree(&self, root: u32, number: u64) -> Result<(), Error> {
        let attached = self.attached()?;
        let mounts = Mounts::read()?;
        let mut known = BTreeSet::new();
        let mut quiet = 0;
        for _ in 0..PASSES_MAX {
            let tree = descendants(root);
            if tree.len() > TAGS_MAX {
                return Err(Error::TooMany {
                    found: tree.len(),
                    limit: TAGS_MAX,
                });
            }
            for tgid in tree.difference(&known) {
                self.want(
                    *tgid,
                    &identity(number, executable(*tgid, &mounts).as_ref()),
                )?;
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

    /// The identity that the next run of the tagging iterator gives a process.
    pub(super) fn want(&self, tgid: u32, task: &tyr_task) -> Result<(), Error> {
        // SAFETY: `tyr_task` is Plain: integers without padding.
        let bytes = unsafe { plain::as_bytes(task) };
        self.attached()?
            .map("tagging")?
            .update(&tgid.to_ne_bytes(), bytes, MapFlags::ANY)
            .map_err(Error::bpf("tag a process"))
    }

    /// The entry of a new session.
    fn start_session(&self, root: u32, types: &[u32], parent: u64) -> Result<u64, Error> {
        let number = self.new_session_number()?;
        let mut session = tyr_session {
            root_tgid: root,
            root_start_boot_ns: start_boot_ns(root)?,
            parent,
            ..tyr_session::default()
        };
        // With no room for all, the outermost stay and the innermost: as in the programs.
        let room = session.r#type.len();
        let last = types
            .last()
            .into_iter()
            .skip(usize::from(types.len() <= room));
        let kept = types.iter().take(room - last.len()).chain(last);
        for (slot, agent_type) in session.r#type.iter_mut().zip(kept) {
            *slot = *agent_type;
            session.type_count += 1;
        }
        self.write_session(number, &session, MapFlags::NO_EXIST)?;
        Ok(number)
    }

    pub(super) fn clear_tags(&self) -> Result<(), Error> {
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
pub const USER_NUMBERS: u64 = 1 << 63;

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

pub(super) fn identity(number: u64, exe: Option<&Place>) -> tyr_task {
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
pub(super) fn executable(tgid: u32, mounts: &Mounts) -> Option<Place> {
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

/// What /proc tells of a process's origin.
#[derive(Clone, Copy, Debug)]
struct Origin {
    parent: u32,
    group: u32,
    session: u32,
}

/// A process and everything that it made, as far as /proc tells.
fn descendants(root: u32) -> BTreeSet<u32> {
    let mut origins = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(tgid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(origin) = origin(tgid) {
            origins.insert(tgid, origin);
        }
    }
    family(root, &origins)
}

/// The children of each member; and processes that lost their parent, where the leader of their
/// process group or session is a member.
fn family(root: u32, origins: &BTreeMap<u32, Origin>) -> BTreeSet<u32> {
    const INIT: u32 = 1;
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        for (tgid, origin) in origins {
            let is_led = found.contains(&origin.group) || found.contains(&origin.session);
            if found.contains(&origin.parent) || origin.parent == INIT && is_led {
                found.insert(*tgid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn origin(tgid: u32) -> Option<Origin> {
    let stat = fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(1).map(str::parse);
    let mut next = || fields.next()?.ok();
    Some(Origin {
        parent: next()?,
        group: next()?,
        session: next()?,
    })
}

/// Field of /proc/PID/stat, counted from the state, which follows the name.
fn stat_field(tgid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(index)?.parse().ok()
}

/// Start of a process on CLOCK_BOOTTIME, in the ticks of /proc.
pub(crate) fn start_ticks(tgid: u32) -> Result<u64, Error> {
    const START_TIME: usize = 19;
    stat_field(tgid, START_TIME).ok_or_else(|| Error::File {
        path: format!("/proc/{tgid}/stat").into(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

/// The same in nanoseconds, as precise as /proc tells it.
fn start_boot_ns(tgid: u32) -> Result<u64, Error> {
    let ticks = start_ticks(tgid)?;
    // SAFETY: no pointers are involved.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let per_second = u64::try_from(per_second).unwrap_or(100).max(1);
    Ok(ticks * (1_000_000_000 / per_second))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Origin, family};

    #[test]
    fn a_family_is_children_and_orphans_that_are_led_by_a_member() {
        let rows = [
            // (process, parent, group, session)
            (10, 5, 10, 5),
            (11, 10, 10, 5),
            (12, 11, 12, 12),
            // Orphans: of the agent's group, of a session that a member leads, of nobody's.
            (20, 1, 10, 5),
            (21, 1, 21, 12),
            (22, 20, 22, 22),
            (23, 1, 23, 23),
            // The other end of a pipe, started by the shell that started the agent.
            (30, 5, 10, 5),
            (5, 1, 5, 5),
        ];
        let origin = |(tgid, parent, group, session)| {
            let origin = Origin {
                parent,
                group,
                session,
            };
            (tgid, origin)
        };
        let origins: BTreeMap<u32, Origin> = rows.map(origin).into();
        let found: Vec<u32> = family(10, &origins).into_iter().collect();
        assert_eq!(found, [10, 11, 12, 20, 21, 22]);
    }
}
