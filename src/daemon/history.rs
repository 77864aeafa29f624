//! What was put in force, on disk: for the next start, and so that records which nobody has read
//! yet find the policies that decided them.
//!
//! A set is written before the kernel gets it and again when it has its number. A daemon that was
//! killed between the two left generations in the kernel that no file names; they are counted up
//! by one, so the next daemon knows which set they were.

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

use super::policies::Set;
use super::state::StateDir;

const FILE: &str = "policies.json";
/// Sets that are kept. Records of an older one have been read, unless that many sets came within
/// the moment that a daemon was away.
const STAGES_MAX: usize = 4;

/// The sets that were put in force last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The newest at the end.
    stages: Vec<Stage>,
    /// What is about to be put in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Stage>,
}

/// One set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub set: Set,
    /// It was in force as if all of it were assigned in monitor mode.
    pub monitored: bool,
    /// First and last of the kernel's numbers for it; `None` when they were another boot's.
    pub generations: Option<(u32, u32)>,
}

impl Stage {
    fn extend(&mut self, first: u32, last: u32) {
        let first = self.generations.map_or(first, |(first, _)| first);
        self.generations = Some((first, last));
    }
}

impl History {
    /// Reads the file and brings it in line with `in_force`, the kernel's number of the generation
    /// in force, 0 when there is none.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read, or cannot be written.
    pub fn load(state: &StateDir, in_force: u32) -> Result<History, Failure> {
        let path = state.path(FILE);
        let failed = |what: &str, error: &dyn std::error::Error| {
            Failure::caused(
                Exit::Config,
                format!("cannot {what} {}", path.display()),
                error,
            )
        };
        let unreadable = |error: &dyn std::error::Error| {
            failed("read", error).help("remove the file to start with what the server sends")
        };
        let Some(bytes) = state.read(FILE).map_err(|error| unreadable(&error))? else {
            return Ok(History::default());
        };
        let stored: History = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        let mut history = stored.clone();
        history.found(in_force);
        if history != stored {
            history
                .store(state)
                .map_err(|error| failed("write", &error))?;
        }
        Ok(history)
    }

    /// # Errors
    ///
    /// The disk refuses; what was stored before is still there.
    pub fn store(&self, state: &StateDir) -> std::io::Result<()> {
        state.write(FILE, &serde_json::to_vec_pretty(self)?)
    }

    /// The last set that was in force.
    pub fn last(&self) -> Option<&Stage> {
        self.stages.last()
    }

    /// Oldest first.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Notes what is about to be put in force. Tells whether it is another set than before: then
    /// it is to be stored first.
    #[must_use]
    pub fn begin(&mut self, set: &Set, monitored: bool) -> bool {
        let is_last = |stage: &Stage| stage.set == *set && stage.monitored == monitored;
        if self.last().is_some_and(is_last) {
            return false;
        }
        self.next = Some(Stage {
            set: set.clone(),
            monitored,
            generations: None,
        });
        true
    }

    /// What was begun is in force under this number. To be stored.
    pub fn succeeded(&mut self, number: u32) {
        self.stages.extend(self.next.take());
        if let Some(stage) = self.stages.last_mut() {
            stage.extend(number, number);
        }
        self.keep(STAGES_MAX);
    }

    /// What was begun is not in force. Tells whether that is to be stored.
    #[must_use]
    pub fn failed(&mut self) -> bool {
        self.next.take().is_some()
    }

    /// A daemon begins: settles what the one before left open.
    fn found(&mut self, in_force: u32) {
        let last = self.last().and_then(|stage| stage.generations);
        let mut known = last.map_or(0, |(_, last)| last);
        if known > in_force {
            known = 0;
        }
        if known == 0 {
            // Another boot, or other maps: numbers begin anew, and no record of before is left.
            self.keep(1);
            for stage in &mut self.stages {
                stage.generations = None;
            }
        }
        let next = self.next.take();
        if in_force > known {
            self.stages.extend(next);
            if let Some(stage) = self.stages.last_mut() {
                stage.extend(known + 1, in_force);
            }
        }
        self.keep(STAGES_MAX);
    }

    /// The newest so many.
    fn keep(&mut self, count: usize) {
        let surplus = self.stages.len().saturating_sub(count);
        self.stages.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
