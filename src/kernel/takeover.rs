//! From programs of another layout to these: identities are carried over while both enforce.
//!
//! What is read of the old maps never changes from version to version: `struct tyr_live`, the
//! front of `struct tyr_session`, and the place of the counter of lost records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use libbpf_rs::{Link, MapCore, MapFlags, MapHandle};

use super::abi::{TYR_COUNT_EVENTS_LOST, TYR_TASK_AGENT, TYR_TASK_INTERPRETER};
use super::counters::sum_of_cpus;
use super::error::Error;
use super::load::Programs;
use super::mounts::Mounts;
use super::pins::Folder;
use super::ringbuf::RingReader;
use super::sessions::{LiveTask, run_iterator};
use super::skel::tyr_session;
use super::tagging::{executable, identity};

/// Passes before processes that keep forking are given up for this time.
const PASSES_MAX: usize = 64;
const PASS_TIME: Duration = Duration::from_millis(5);
/// Bytes of `struct tyr_session` that mean the same in every version.
const SESSION_FRONT: usize = 40;

impl Programs {
    /// Whether programs of another layout still enforce beside these.
    pub fn has_predecessor(&self) -> bool {
        !self.before().is_empty()
    }

    /// Takes the place of programs of another layout. To be called when an image is in force:
    /// sessions and the identity of every thread are carried over, then the old programs go.
    /// On an error they stay, and it can be tried again. Nobody else may tag processes meanwhile.
    /// Tells whether there were any.
    ///
    /// # Errors
    /// The old programs' maps cannot be read, or processes fork faster than they can be tagged.
    pub fn take_over(&self) -> Result<bool, Error> {
        let Some(pins) = &self.pins else {
            return Ok(false);
        };
        let mut taken = false;
        loop {
            // The lock is not held while the work is done.
            let Some(folder) = self.before().first().cloned() else {
                return Ok(taken);
            };
            self.carry_over(&folder)?;
            pins.leave(&folder)?;
            self.before().remove(0);
            taken = true;
        }
    }

    /// Whether programs that were superseded have left something to count.
    ///
    /// # Errors
    /// The pins cannot be read.
    pub fn has_left_behind(&self) -> Result<bool, Error> {
        let left = self
            .pins
            .as_ref()
            .map(super::pins::Pins::left)
            .transpose()?;
        Ok(left.is_some_and(|left| !left.is_empty()))
    }

    /// Records of superseded programs that nobody can read any more: those their buffer had no
    /// room for, less the `reported` ones, and those still in it behind `spooled`, which is a
    /// buffer's identity and a position in it.
    ///
    /// # Errors
    /// Their maps cannot be read.
    pub fn left_behind(&self, spooled: Option<(u64, u64)>, reported: u64) -> Result<u64, Error> {
        let Some(pins) = &self.pins else {
            return Ok(0);
        };
        let mut count = 0;
        for folder in pins.left()? {
            let lost = sum_of_cpus(&open(&folder, "counters")?, TYR_COUNT_EVENTS_LOST)?;
            count += lost.checked_sub(reported).unwrap_or(lost);
            let mut ring = RingReader::of_map(&open(&folder, "events")?)?;
            if let Some((_, position)) =
                spooled.filter(|(identity, _)| *identity == u64::from(ring.identity()))
            {
                ring.pass_over(position);
            }
            while ring.next().is_some() {
                count += 1;
            }
        }
        Ok(count)
    }

    /// What was left behind is reported.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn forget_left_behind(&self) -> Result<(), Error> {
        let Some(pins) = &self.pins else {
            return Ok(());
        };
        pins.left()?.iter().try_for_each(Folder::remove)
    }

    fn before(&self) -> std::sync::MutexGuard<'_, Vec<Folder>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_over(&self, folder: &Folder) -> Result<(), Error> {
        let path = folder.link("live_tasks");
        let old = Link::open(&path).map_err(Error::bpf(format!("link {}", path.display())))?;
        self.carry_sessions(&open(folder, "sessions")?)?;
        let mut quiet = 0;
        for _ in 0..PASSES_MAX {
            let missing = missing(&run_iterator(&old)?, &self.live_tasks()?);
            // Of the missing some were born or have ended between the two sweeps.
            let tagged = self.tag_all(&missing)?;
            quiet = if tagged == 0 { quiet + 1 } else { 0 };
            if quiet == 2 {
                return Ok(());
            }
            thread::sleep(PASS_TIME);
        }
        Err(Error::Unstable)
    }

    fn carry_sessions(&self, old: &MapHandle) -> Result<(), Error> {
        for key in old.keys() {
            let value = old
                .lookup(&key, MapFlags::ANY)
                .map_err(Error::bpf("read a session"))?;
            let (Ok(number), Some(value)) = (key.as_slice().try_into(), value) else {
                continue;
            };
            let number = u64::from_ne_bytes(number);
            let front = value.get(..SESSION_FRONT).ok_or(Error::Layout {
                map: "sessions",
                found: value.len(),
                expected: SESSION_FRONT,
            })?;
            let mut whole = [0; size_of::<tyr_session>()];
            whole[..SESSION_FRONT].copy_from_slice(front);
            let mut session = tyr_session::default();
            // Cannot fail: the bytes are as many as the structure has.
            let _ = plain::copy_from_bytes(&mut session, &whole);
            if self.session(number)?.is_none() {
                self.write_session(number, &session, MapFlags::ANY)?;
            }
        }
        Ok(())
    }

    /// Gives each process the identity that one of its threads has in the old programs. Returns
    /// how many threads took it.
    fn tag_all(&self, missing: &BTreeMap<u32, LiveTask>) -> Result<usize, Error> {
        if missing.is_empty() {
            return Ok(0);
        }
        let mut tagged = 0;
        let mounts = Mounts::read()?;
        let entries: Vec<_> = missing.values().collect();
        for part in entries.chunks(super::tagging::TAGS_MAX) {
            for old in part {
                let mut task = identity(old.session, executable(old.tgid, &mounts).as_ref());
                task.candidate = old.candidate;
                if old.flags & TYR_TASK_AGENT == 0 {
                    task.flags &= !TYR_TASK_AGENT;
                }
                if old.candidate != 0 {
                    task.flags |= TYR_TASK_INTERPRETER;
                }
                self.want(old.tgid, &task)?;
            }
            tagged += run_iterator(&self.attached()?.tag)?.len();
            self.clear_tags()?;
        }
        Ok(tagged)
    }
}

/// Processes with a thread that has an identity in the old programs and none, or a lesser one, in
/// the new ones.
fn missing(old: &[LiveTask], new: &[LiveTask]) -> BTreeMap<u32, LiveTask> {
    let is_agent = |task: &&LiveTask| task.flags & TYR_TASK_AGENT != 0;
    let known: BTreeSet<u32> = new.iter().map(|task| task.tid).collect();
    let agents: BTreeSet<u32> = new.iter().filter(is_agent).map(|task| task.tid).collect();
    let lacks = |task: &&LiveTask| {
        let have = if is_agent(task) { &agents } else { &known };
        (task.session | task.candidate) != 0 && !have.contains(&task.tid)
    };
    old.iter()
        .filter(lacks)
        .map(|task| (task.tgid, *task))
        .collect()
}

fn open(folder: &Folder, name: &'static str) -> Result<MapHandle, Error> {
    MapHandle::from_pinned_path(folder.map(name)).map_err(Error::bpf(format!("map {name}")))
}

#[cfg(test)]
mod tests {
    use super::{LiveTask, TYR_TASK_AGENT, missing};

    fn task(tid: u32, session: u64, candidate: u64, flags: u32) -> LiveTask {
        LiveTask {
            session,
            candidate,
            tgid: tid,
            tid,
            flags,
        }
    }

    #[test]
    fn who_lacks_an_identity_is_found() {
        let agent = TYR_TASK_AGENT;
        let old = [
            task(1, 7, 0, agent),
            task(2, 7, 0, agent),
            task(3, 0, 9, 0),
            task(4, 0, 0, 0),
            task(5, 7, 0, agent),
            task(6, 0, 8, 0),
        ];
        let new = [
            task(2, 7, 0, agent),
            // An interpreter to the new programs, an agent to the old ones.
            task(5, 0, 3, 0),
            task(6, 0, 2, 0),
        ];
        let found: Vec<u32> = missing(&old, &new).into_keys().collect();
        assert_eq!(found, [1, 3, 5]);
    }
}
