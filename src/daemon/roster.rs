//! Live agents, shared by the parts that report, refine and count them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use crate::policy::principal::Principal;

use super::sessions::{Agent, Sessions};

/// The sessions of this host behind a lock.
#[derive(Debug, Default)]
pub struct Roster {
    sessions: Mutex<Sessions>,
    /// Sessions that were not live when last looked at: one more look and they have ended. A
    /// thread may be between fork and its first instruction.
    ending: Mutex<HashSet<u64>>,
    /// Sessions that have ended, for records that are read late.
    past: Mutex<VecDeque<(u64, Agent)>>,
}

/// Most ended sessions remembered.
const PAST_MAX: usize = 1_024;

impl Roster {
    pub fn insert(&self, number: u64, agent: Agent) {
        if number != 0 && !self.lock().insert(number, agent) {
            tracing::warn!(session = number, "too many sessions: one is not remembered");
        }
    }

    /// Whether the session is known, live or ended.
    pub fn contains(&self, number: u64) -> bool {
        self.agent(number).is_some()
    }

    /// The agent of a session, live or ended.
    pub fn agent(&self, number: u64) -> Option<Agent> {
        if let Some(agent) = self.lock().get(number) {
            return Some(agent.clone());
        }
        self.past()
            .iter()
            .find(|(past, _)| *past == number)
            .map(|(_, agent)| agent.clone())
    }

    pub fn is_root(&self, number: u64, pid: u32) -> bool {
        self.lock()
            .get(number)
            .is_some_and(|agent| agent.root_pid == pid)
    }

    /// The session, other than `except`, that this process is the root of.
    pub fn session_of_root(&self, pid: u32, except: u64) -> Option<u64> {
        let sessions = self.lock();
        let mut all = sessions.all().into_iter();
        all.find(|(number, agent)| agent.root_pid == pid && *number != except)
            .map(|(number, _)| number)
    }

    /// Whether a session was seen dead once and not twice.
    pub fn has_ending(&self) -> bool {
        !self.ending().is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().all().is_empty()
    }

    /// All agents by session number, sorted.
    pub fn agents(&self) -> Vec<(u64, Agent)> {
        self.lock()
            .all()
            .into_iter()
            .map(|(number, agent)| (number, agent.clone()))
            .collect()
    }

    /// What rules may ask of each session.
    pub fn principals(&self, host: &Principal) -> Vec<(u64, Principal)> {
        let agents = self.agents();
        agents
            .into_iter()
            .map(|(number, agent)| (number, agent.principal(host)))
            .collect()
    }

    /// Notes that a session is about to end, so that the next look settles it.
    pub fn set_ending(&self, number: u64) {
        self.ending().insert(number);
    }

    /// Takes out the sessions that are not among `live` for the second time.
    pub fn ended(&self, live: &HashSet<u64>) -> Vec<(u64, Agent)> {
        let mut sessions = self.lock();
        let mut ending = self.ending();
        let gone: Vec<u64> = sessions
            .all()
            .into_iter()
            .map(|(number, _)| number)
            .filter(|number| !live.contains(number))
            .collect();
        let (sure, new): (Vec<u64>, Vec<u64>) =
            gone.into_iter().partition(|number| ending.contains(number));
        *ending = new.into_iter().collect();
        let ended: Vec<(u64, Agent)> = sure
            .into_iter()
            .filter_map(|number| sessions.remove(number).map(|agent| (number, agent)))
            .collect();
        let mut past = self.past();
        past.extend(ended.iter().cloned());
        while past.len() > PAST_MAX {
            past.pop_front();
        }
        ended
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<(u64, Agent)>> {
        self.past
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn ending(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.ending
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
