//! The enforcer: puts sets of policies in force, and puts them in force anew when what they
//! depend on changes. One thread, so that one thing happens after another.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Zoned;
use tokio::sync::watch;

use crate::exit::Failure;
use crate::model::event::Body;
use crate::policy::evaluate::depends_on_clock;
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::wire::proto;

use super::break_glass::{self, Held};
use super::engine::Engine;
use super::history::History;
use super::judge::{Generation, Generations};
use super::kernel::{Kernel, Wanted};
use super::policies::{Set, effective, from_message, names};
use super::roster::Roster;
use super::state::StateDir;

/// Why something has to be put in force.
#[derive(Debug)]
pub enum Change {
    /// The server sent a set.
    Set(proto::PolicySet),
    /// Sessions came or went.
    Sessions,
    /// The mount table changed.
    Mounts,
    Stop,
}

/// What the rest of the daemon may know of the policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Of the set in force.
    pub revision: u64,
    pub generation: u32,
    /// What is not enforced of the set in force, one sentence each.
    pub limits: Vec<String>,
    /// Why the newest set is not in force; empty when it is.
    pub problems: Vec<String>,
    /// Why enforcement is not claimed though programs are attached; empty: it was proved.
    pub unproven: String,
    /// What is not enforced for a while, and why; empty: nothing.
    pub break_glass: String,
    /// Counts changes of the sessions, so that a heartbeat tells of them.
    pub sessions_changes: u64,
}

/// Changes that come within this time are one.
const GATHER: Duration = Duration::from_millis(50);
/// How long to sleep when nothing depends on the clock.
const IDLE: Duration = Duration::from_secs(60);
/// How long to wait before a break-glass that could not be ended is ended again.
const RETRY: Duration = Duration::from_secs(5);

/// What the enforcer works with.
pub struct Enforcer {
    pub kernel: Arc<dyn Kernel>,
    pub engine: Arc<Mutex<Engine>>,
    pub generations: Arc<Generations>,
    pub roster: Arc<Roster>,
    pub state: Arc<StateDir>,
    pub status: watch::Sender<Status>,
    /// Facts of the host.
    pub host: Principal,
    /// Ids of all signatures.
    pub agent_types: Vec<String>,
    /// The set in force.
    pub set: Set,
    pub history: History,
    /// Holds beside every set.
    pub own: Effective,
    pub canary: Canary,
    pub glass: Glass,
}

/// The break-glass of the set in force.
#[derive(Clone, Debug, Default)]
pub struct Glass {
    held: Option<Held>,
    /// Nothing of the set in force is enforced.
    is_open: bool,
}

impl Glass {
    /// How long to wait for the end; a failure to end is tried again soon.
    fn left(&self) -> Duration {
        match &self.held {
            _ if self.is_over() => RETRY,
            Some(held) if self.is_open => held.left(),
            _ => IDLE,
        }
    }

    fn is_over(&self) -> bool {
        self.is_open && !self.held.as_ref().is_some_and(Held::is_open)
    }
}

/// When enforcement is proved again.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    pub interval: Duration,
    due: Option<Instant>,
}

impl Canary {
    pub fn every(interval: Duration) -> Canary {
        Canary {
            interval,
            due: None,
        }
    }

    /// `None`: nothing was proved yet, so there is nothing to repeat.
    fn left(&self) -> Option<Duration> {
        self.due
            .map(|due| due.saturating_duration_since(Instant::now()))
    }
}

impl Enforcer {
    /// Puts `set` in force. On any problem what was in force stays so, and the problem is told.
    pub fn apply(&mut self, set: &Set) -> bool {
        let applied = effective(set, &self.agent_types).and_then(|policies| {
            self.put_in_force(set, policies)
                .map_err(|error| vec![error])
        });
        match applied {
            Ok(()) => true,
            Err(problems) => {
                self.refuse(set.revision, problems);
                false
            }
        }
    }

    /// What the kernel gets: the set, of which nothing is enforced while `is_monitored`, and what
    /// protects Tyr, which always is.
    pub fn whole(&self, set: Arc<Vec<Effective>>, is_monitored: bool) -> Arc<Vec<Effective>> {
        let mut policies = Arc::unwrap_or_clone(set);
        if is_monitored {
            break_glass::monitor(&mut policies);
        }
        policies.push(self.own.clone());
        Arc::new(policies)
    }

    /// Handles changes until told to stop.
    pub fn run(&mut self, changes: &Receiver<Change>) {
        loop {
            let Some(mut due) = self.wait(changes) else {
                return;
            };
            due.again |= self.glass.is_over();
            if self.canary.left().is_some_and(|left| left.is_zero()) {
                self.prove();
            }
            if due.sessions {
                self.status
                    .send_modify(|status| status.sessions_changes += 1);
            }
            match due.set {
                Some(message) => self.take(message),
                None if due.again || (due.sessions && self.reads_sessions()) => self.again(),
                None => {}
            }
        }
    }

    /// What has to be done next; `None`: stop.
    fn wait(&self, changes: &Receiver<Change>) -> Option<Due> {
        let mut due = Due::default();
        let timeout = self
            .until_boundary()
            .min(self.canary.left().unwrap_or(IDLE))
            .min(self.glass.left());
        match changes.recv_timeout(timeout) {
            Ok(change) => due.add(change)?,
            Err(RecvTimeoutError::Timeout) => {
                due.again = self.hour_has_changed();
                return Some(due);
            }
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        let gathering = Instant::now();
        while let Some(left) = GATHER.checked_sub(gathering.elapsed()) {
            match changes.recv_timeout(left) {
                Ok(change) => due.add(change)?,
                Err(_) => break,
            }
        }
        Some(due)
    }

    fn take(&mut self, message: proto::PolicySet) {
        let held = self.set.revision;
        let revision = message.revision;
        if revision < held {
            let problem = format!(
                "the server sent revision {revision}, older than {held} which is in force; \
                 it was refused"
            );
            self.refuse(revision, vec![problem]);
            return;
        }
        match from_message(message) {
            Ok(set) if set == self.set && self.status.borrow().generation != 0 => {
                self.status.send_modify(|status| status.problems.clear());
            }
            Ok(set) => {
                self.apply(&set);
            }
            Err(problems) => self.refuse(revision, problems),
        }
    }

    /// Compiles the set in force anew.
    fn again(&mut self) {
        let set = self.set.clone();
        self.apply(&set);
    }

    fn put_in_force(&mut self, set: &Set, policies: Arc<Vec<Effective>>) -> Result<(), String> {
        let moment = Moment::from_zoned(&Zoned::now());
        let held = Held::of(set.break_glass.as_ref(), self.glass.held.as_ref());
        let is_open = held.as_ref().is_some_and(Held::is_open);
        let policies = self.whole(policies, is_open);
        if is_open && !self.glass.is_open {
            // Said before it is so.
            self.tell_break_glass(held.as_ref());
        }
        let wanted = Wanted {
            policies: Arc::clone(&policies),
            host: self.host.clone(),
            sessions: self.roster.principals(&self.host),
            moment,
        };
        if self.history.begin(set, is_open) {
            self.keep_history();
        }
        let in_force = self.kernel.put_in_force(&wanted).map_err(|error| {
            if self.history.failed() {
                self.keep_history();
            }
            error.to_string()
        })?;
        let number = in_force.generation;
        self.history.succeeded(number);
        self.generations.add(Generation {
            numbers: number..=number,
            policies,
            host: self.host.clone(),
            moment,
        });
        // Before anything that takes time: the daemon may be killed.
        self.keep_history();
        if self.glass.is_open && !is_open {
            self.tell_break_glass(None);
        }
        let description = held.as_ref().filter(|_| is_open).map(Held::describe);
        self.glass = Glass { held, is_open };
        let is_new = *set != self.set || self.status.borrow().generation == 0;
        self.set = set.clone();
        if self.canary.due.is_none() {
            self.prove();
        }
        if is_new || self.status.borrow().limits != in_force.limits {
            let policies = names(set);
            tracing::info!(
                revision = set.revision,
                generation = number,
                ?policies,
                "policies in force"
            );
            let limits = in_force.limits.clone();
            self.event(Body::PolicyApplied {
                generation: number,
                policies,
                limits,
            });
        }
        self.status.send_modify(|status| {
            status.revision = set.revision;
            status.generation = number;
            status.limits = in_force.limits;
            status.break_glass = description.unwrap_or_default();
            status.problems.clear();
        });
        Ok(())
    }

    fn keep_history(&self) {
        if let Err(error) = self.history.store(&self.state) {
            tracing::error!(%error, "cannot keep the policies on disk");
        }
    }

    /// Takes in what earlier daemons put in force: records that they did not read were decided by
    /// it. Gives the last set.
    ///
    /// # Errors
    ///
    /// The file of it cannot be read or written.
    pub fn recall(&mut self) -> Result<Set, Failure> {
        self.history = History::load(&self.state, self.kernel.generation())?;
        for stage in self.history.stages() {
            let Some((first, last)) = stage.generations else {
                continue;
            };
            let Ok(policies) = effective(&stage.set, &self.agent_types) else {
                continue;
            };
            self.generations.add(Generation {
                numbers: first..=last,
                policies: self.whole(policies, stage.monitored),
                host: self.host.clone(),
                moment: Moment::from_zoned(&Zoned::now()),
            });
        }
        let last = self.history.last();
        Ok(last.map(|stage| stage.set.clone()).unwrap_or_default())
    }

    /// Proves that what is in force is enforced, and tells when that changes.
    fn prove(&mut self) {
        self.canary.due = Some(Instant::now() + self.canary.interval);
        let unproven = self
            .kernel
            .prove()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        let before = self.status.borrow().unproven.clone();
        if unproven == before {
            return;
        }
        let message = if unproven.is_empty() {
            tracing::info!("enforcement is proved again");
            "enforcement is proved again".to_owned()
        } else {
            tracing::error!(unproven, "enforcement is not proved");
            format!("enforcement is not proved and not claimed: {unproven}")
        };
        self.event(Body::Alarm { message });
        self.status.send_modify(|status| status.unproven = unproven);
    }

    fn tell_break_glass(&self, begins: Option<&Held>) {
        let message = match begins {
            Some(held) => held.describe(),
            None => "break-glass has ended: policies are enforced again".to_owned(),
        };
        tracing::warn!(message, "break-glass");
        self.event(Body::Alarm { message });
    }

    fn refuse(&mut self, revision: u64, problems: Vec<String>) {
        tracing::error!(revision, ?problems, "the policies were not put in force");
        // The same refusal at every reconnection would be noise.
        if self.status.borrow().problems != problems {
            let message = format!(
                "policy set {revision} was not put in force: {}",
                problems.join("; ")
            );
            self.event(Body::Alarm { message });
        }
        self.status.send_modify(|status| status.problems = problems);
    }

    fn event(&self, body: Body) {
        self.engine
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .host_event(body);
    }

    fn policies(&self) -> Option<Generation> {
        self.generations.newest()
    }

    fn reads_sessions(&self) -> bool {
        self.any_rule(|rule| {
            rule.condition
                .as_ref()
                .is_some_and(|condition| condition.needs().session())
        })
    }

    fn any_rule(&self, holds: impl Fn(&crate::policy::rule::Rule) -> bool) -> bool {
        let Some(generation) = self.policies() else {
            return false;
        };
        generation
            .policies
            .iter()
            .any(|effective| effective.policy.rules.iter().any(&holds))
    }

    fn hour_has_changed(&self) -> bool {
        let now = Moment::from_zoned(&Zoned::now());
        self.policies()
            .is_some_and(|generation| generation.moment != now)
            && self.any_rule(depends_on_clock)
    }

    fn until_boundary(&self) -> Duration {
        if !self.any_rule(depends_on_clock) {
            return IDLE;
        }
        let now = Zoned::now();
        let boundary = Moment::next_boundary(&now).map(|boundary| now.duration_until(&boundary));
        // A clock that is set meanwhile is noticed within a minute.
        boundary
            .and_then(|left| left.try_into().ok())
            .unwrap_or(IDLE)
            .min(IDLE)
    }
}

/// Changes that are handled together.
#[derive(Debug, Default)]
struct Due {
    set: Option<proto::PolicySet>,
    sessions: bool,
    again: bool,
}

impl Due {
    /// `None`: stop.
    fn add(&mut self, change: Change) -> Option<()> {
        match change {
            // Sets are whole, and the later one holds.
            Change::Set(set) => self.set = Some(set),
            Change::Sessions => self.sessions = true,
            Change::Mounts => self.again = true,
            Change::Stop => return None,
        }
        Some(())
    }
}
