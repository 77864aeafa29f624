//! Sessions and the threads in them: what user space reads and writes while the programs run.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use libbpf_rs::{Iter, MapCore, MapFlags, MapHandle};

use super::abi::TYR_CHANGES_BY_USER;
use super::error::Error;
use super::load::Programs;
use super::skel::tyr_session;

/// Bytes of `struct tyr_live`.
const LIVE_BYTES: usize = 32;
/// Most threads that one sweep reads; more than Linux can have.
const LIVE_MAX: u64 = 8 << 20;

/// One agent session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Agent type numbers, outermost agent first.
    pub types: Vec<u32>,
    pub root_tgid: u32,
    /// CLOCK_BOOTTIME of the root process's start.
    pub root_start_boot_ns: u64,
    /// The session that started this one; 0 for none.
    pub parent: u64,
    /// (generation, slot) that user space wrote.
    pub refined: Vec<(u32, u32)>,
}

/// A thread that carries an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveTask {
    /// 0: in no agent.
    pub session: u64,
    /// The session it may become; 0 for none.
    pub candidate: u64,
    pub tgid: u32,
    pub tid: u32,
    /// `TYR_TASK_*`.
    pub flags: u32,
}

impl Programs {
    /// All sessions that are agents.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be read.
    pub fn sessions(&self) -> Result<Vec<(u64, Session)>, Error> {
        let map = self.attached()?.map("sessions")?;
        let mut sessions = Vec::new();
        for key in map.keys() {
            let Ok(number) = key.as_slice().try_into().map(u64::from_ne_bytes) else {
                continue;
            };
            // Gone between the two calls: no session any more.
            if let Some(session) = self.session(number)? {
                sessions.push((number, session));
            }
        }
        sessions.sort_unstable_by_key(|(number, _)| *number);
        Ok(sessions)
    }

    /// One session.
    ///
    /// # Errors
    /// As for `sessions`.
    pub fn session(&self, number: u64) -> Result<Option<Session>, Error> {
        Ok(self.raw_session(number)?.map(|raw| Session {
            types: raw
                .r#type
                .into_iter()
                .take(raw.type_count as usize)
                .collect(),
            root_tgid: raw.root_tgid,
            root_start_boot_ns: raw.root_start_boot_ns,
            parent: raw.parent,
            refined: raw
                .refined
                .iter()
                .filter(|refined| refined.generation != 0)
                .map(|refined| (refined.generation, refined.slot))
                .collect(),
        }))
    }

    /// Sets the slot of a session for one generation, in the place of the older of the two that
    /// are kept. Write the slot for the next generation before the image is put in force.
    ///
    /// Returns false when there is no such session.
    ///
    /// # Errors
    /// As for `sessions`.
    pub fn refine_session(&self, number: u64, generation: u32, slot: u32) -> Result<bool, Error> {
        let Some(mut raw) = self.raw_session(number)? else {
            return Ok(false);
        };
        let same = raw
            .refined
            .iter()
            .position(|refined| refined.generation == generation);
        let older = usize::from(raw.refined[1].generation < raw.refined[0].generation);
        let entry = &mut raw.refined[same.unwrap_or(older)];
        entry.generation = generation;
        entry.slot = slot;
        self.write_session(number, &raw, MapFlags::EXIST)?;
        Ok(true)
    }

    /// Forgets a session that ended. Its number is never used again.
    ///
    /// # Errors
    /// As for `sessions`.
    pub fn remove_session(&self, number: u64) -> Result<(), Error> {
        let map = self.attached()?.map("sessions")?;
        match map.delete(&number.to_ne_bytes()) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                return Err(Error::bpf("remove a session")(error));
            }
            _ => {}
        }
        self.sessions_changed()
    }

    /// Every thread that carries an identity, by a sweep over all tasks.
    ///
    /// # Errors
    /// Nothing is attached, or the iterator fails.
    pub fn live_tasks(&self) -> Result<Vec<LiveTask>, Error> {
        run_iterator(&self.attached()?.live)
    }

    /// Numbers of the sessions that some thread is in, or may become.
    ///
    /// # Errors
    /// As for `live_tasks`.
    pub fn live_sessions(&self) -> Result<BTreeSet<u64>, Error> {
        let tasks = self.live_tasks()?;
        let numbers = tasks.iter().flat_map(|task| [task.session, task.candidate]);
        Ok(numbers.filter(|number| *number != 0).collect())
    }

    pub(crate) fn write_session(
        &self,
        number: u64,
        session: &tyr_session,
        flags: MapFlags,
    ) -> Result<(), Error> {
        // SAFETY: `tyr_session` is Plain: integers without padding.
        let bytes = unsafe { plain::as_bytes(session) };
        self.attached()?
            .map("sessions")?
            .update(&number.to_ne_bytes(), bytes, flags)
            .map_err(Error::bpf("write a session"))?;
        self.sessions_changed()
    }

    /// Tells the programs that what tasks keep of their sessions may be old.
    pub(crate) fn sessions_changed(&self) -> Result<(), Error> {
        count_change(self.attached()?.map("session_changes")?)
    }

    fn raw_session(&self, number: u64) -> Result<Option<tyr_session>, Error> {
        let map = self.attached()?.map("sessions")?;
        let value = map
            .lookup(&number.to_ne_bytes(), MapFlags::ANY)
            .map_err(Error::bpf("read a session"))?;
        let Some(value) = value else { return Ok(None) };
        let mut session = tyr_session::default();
        plain::copy_from_bytes(&mut session, &value).map_err(|_| Error::Layout {
            map: "sessions",
            found: value.len(),
            expected: size_of::<tyr_session>(),
        })?;
        Ok(Some(session))
    }
}

/// Adds one to user space's entry of `session_changes`.
///
/// One at a time, so that the number never goes back; the programs count in an entry of their own.
pub(crate) fn count_change(map: &MapHandle) -> Result<(), Error> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = TYR_CHANGES_BY_USER.to_ne_bytes();
    let value = map
        .lookup(&key, MapFlags::ANY)
        .map_err(Error::bpf("count a change of sessions"))?;
    let count = value.and_then(|bytes| bytes.try_into().ok());
    let count = count.map_or(0, u64::from_ne_bytes).wrapping_add(1);
    map.update(&key, &count.to_ne_bytes(), MapFlags::ANY)
        .map_err(Error::bpf("count a change of sessions"))
}

/// Runs an iterator program over all tasks and reads what it writes.
pub(crate) fn run_iterator(link: &libbpf_rs::Link) -> Result<Vec<LiveTask>, Error> {
    let iterator = Iter::new(link).map_err(Error::bpf("start a task iterator"))?;
    let mut bytes = Vec::new();
    iterator
        .take(LIVE_MAX * LIVE_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Io {
            what: "read of a task iterator",
            source,
        })?;
    Ok(bytes.chunks_exact(LIVE_BYTES).map(live_task).collect())
}

/// `struct tyr_live`.
fn live_task(bytes: &[u8]) -> LiveTask {
    let u64_at = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| bytes[at + i]));
    let u32_at = |at: usize| u32::from_ne_bytes(std::array::from_fn(|i| bytes[at + i]));
    LiveTask {
        session: u64_at(0),
        candidate: u64_at(8),
        tgid: u32_at(16),
        tid: u32_at(20),
        flags: u32_at(24),
    }
}
