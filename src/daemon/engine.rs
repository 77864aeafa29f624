//! Records of the kernel → events in the outbox.
//!
//! Runs on the thread that reads the ring buffer, which gives records back to the kernel when
//! their events are in the spool.

mod look;
mod operations;
mod told;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::event::{AgentRef, Body, Event, Process, path_text};

use super::discover::Found;
use super::judge::Generations;
use super::kernel::{Enforcement, FOUND_RUNNING, Kernel, Record, Session, Subject};
use super::mark::Mark;
use super::outbox::Outbox;
use super::processes::Processes;
use super::roster::Roster;
use super::sessions::{Agent, agent_id};
use super::sync::Change;

use look::Look;
use operations::Operations;
use told::Told;

/// Everything that stays the same while the daemon runs.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// Of the machine, known before it is enrolled.
    pub machine_id: String,
    pub boot_id: String,
    /// Of this daemon: it governs others and is governed by nobody.
    pub own_pid: u32,
}

/// Turns records into events.
pub struct Engine {
    kernel: Arc<dyn Kernel>,
    outbox: Arc<Outbox>,
    roster: Arc<Roster>,
    generations: Arc<Generations>,
    changes: Sender<Change>,
    facts: HostFacts,
    processes: Processes,
    operations: Operations,
    clock: Clock,
    /// Of the batch that is being made.
    mark: Mark,
    look: Look,
    told: Told,
    /// Records that could not be read since the last batch.
    unreadable: u64,
    /// Where a daemon before this one was in the buffer of programs that may have been replaced,
    /// and how many of its losses are told.
    before: Option<(Option<(u64, u64)>, u64)>,
}

/// What an engine is made of.
pub struct Parts {
    pub kernel: Arc<dyn Kernel>,
    pub outbox: Arc<Outbox>,
    pub roster: Arc<Roster>,
    pub generations: Arc<Generations>,
    pub changes: Sender<Change>,
    pub facts: HostFacts,
    pub processes: Processes,
    pub repeat_window_ns: u64,
    /// Of the last batch in the spool.
    pub mark: Mark,
}

impl Engine {
    pub fn new(parts: Parts) -> Engine {
        let clock = Clock::now(parts.kernel.as_ref());
        let mark = &parts.mark;
        let before = (
            mark.ring,
            mark.told.get("events_lost").copied().unwrap_or(0),
        );
        Engine {
            kernel: parts.kernel,
            outbox: parts.outbox,
            roster: parts.roster,
            generations: parts.generations,
            changes: parts.changes,
            facts: parts.facts,
            processes: parts.processes,
            operations: Operations::new(parts.repeat_window_ns),
            clock,
            before: (!parts.mark.left_told).then_some(before),
            mark: parts.mark,
            look: Look::new(),
            told: Told::default(),
            unreadable: 0,
        }
    }

    /// Takes one record.
    pub fn record(&mut self, record: Record) {
        let subject = match &record {
            Record::Decision(subject, _)
            | Record::AgentStarted(subject, _)
            | Record::Execed(subject, _)
            | Record::Exited(subject) => subject,
        };
        if subject.pid == self.facts.own_pid {
            return;
        }
        match record {
            Record::Decision(subject, decision) => {
                self.adopt(&subject);
                operations::take(self, &subject, &decision);
            }
            Record::AgentStarted(subject, path) => self.agent_started(&subject, &path),
            Record::Execed(subject, exe) => {
                self.adopt(&subject);
                self.processes.execed(&subject, &exe);
            }
            Record::Exited(subject) => {
                self.processes.exited(&subject);
                self.exited(&subject);
            }
        }
        self.end_windows();
    }

    /// A record was there and could not be read.
    pub fn unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// What has to happen though no record comes: ends windows, reports losses, finds sessions
    /// that have ended. To be called a few times a second; `is_drained` tells that no record
    /// waits, which may be of a session that has ended since.
    pub fn tick(&mut self, is_drained: bool) {
        self.clock = Clock::now(self.kernel.as_ref());
        self.end_windows();
        // They keep: what has no room now is found again.
        if !self.outbox.is_full() {
            self.report_losses();
            if is_drained {
                self.end_sessions();
            }
        }
    }

    /// Ends the batch: what was only counted goes into it, and `taken`, the ring buffer's
    /// identity and position, into its mark. Gives the mark.
    pub fn end_batch(&mut self, taken: Option<(u64, u64)>) -> Vec<u8> {
        self.end_windows();
        for (event, count) in self.operations.take_repeats() {
            self.put_counted(event, count);
        }
        let count = std::mem::take(&mut self.unreadable);
        if count > 0 {
            let cause = "the kernel's records could not be read".to_owned();
            self.host_event(Body::Lost { cause, count });
        }
        self.mark.ring = taken.or(self.mark.ring);
        self.mark.encode()
    }

    /// The batch is on disk.
    pub fn batch_committed(&mut self) {
        for number in self.mark.ended.drain(..) {
            if let Err(error) = self.kernel.remove_session(number) {
                tracing::warn!(%error, session = number, "cannot remove an ended session");
            }
        }
        if self.mark.left_told {
            self.kernel.forget_left_behind();
            self.mark.left_told = false;
        }
    }

    /// Identity of a ring buffer, and the position up to which its events are in the spool.
    pub fn spooled_position(&self) -> Option<(u64, u64)> {
        self.mark.ring
    }

    /// Spools what has come since the last batch. To be called when no record is taken any more.
    pub fn flush(&mut self) {
        let mark = self.end_batch(None);
        if self.outbox.is_empty() {
            return;
        }
        match self.outbox.commit(&mark) {
            Ok(()) => self.batch_committed(),
            Err(error) => {
                tracing::error!(
                    error = crate::exit::chain(&error),
                    "cannot spool the last events"
                );
            }
        }
    }

    /// An event about the host itself, now.
    pub fn host_event(&mut self, body: Body) {
        let boot_ns = self.kernel.boot_ns();
        self.put(boot_ns, Process::default(), None, body);
    }

    /// Takes in sessions that the kernel already has: of an earlier daemon, or just tagged. Of
    /// those that were given to agents found running no record tells: their start is told here.
    pub fn adopt_sessions(&mut self, found: &[Found]) {
        let sessions = match self.kernel.sessions() {
            Ok(sessions) => sessions,
            Err(error) => {
                tracing::error!(%error, "cannot read the sessions");
                return;
            }
        };
        let numbers: BTreeSet<u64> = sessions.iter().map(|session| session.number).collect();
        self.mark.started.retain(|number| numbers.contains(number));
        for session in sessions {
            let is_told =
                session.number & FOUND_RUNNING == 0 || self.mark.started.contains(&session.number);
            let shown = found.iter().find(|found| found.pid == session.root_pid);
            let subject = Subject {
                session: session.number,
                boot_ns: self.kernel.boot_ns(),
                start_boot_ns: session.root_start_boot_ns,
                pid: session.root_pid,
                parent_pid: shown.map_or(0, |found| found.parent_pid),
                uid: shown.map_or(0, |found| found.uid),
                ..Subject::default()
            };
            if is_told {
                self.adopt(&subject);
            } else {
                let evidence = shown.map_or("", |found| found.evidence.as_str());
                let exe = shown.map(|found| found.exe.as_slice());
                self.start(&subject, session, evidence, exe);
            }
        }
    }

    fn agent_started(&mut self, subject: &Subject, path: &[u8]) {
        // An interpreter found running, whose session was there before its record was read.
        if self.mark.started.contains(&subject.session) {
            return;
        }
        let session = self.session(subject);
        let evidence = path_text(path);
        self.start(subject, session, &evidence, None);
    }

    /// Notes a session and reports it.
    fn start(&mut self, subject: &Subject, session: Session, evidence: &str, exe: Option<&[u8]>) {
        // A root that became another agent is not the first one's any more.
        if let Some(before) = self.roster.session_of_root(subject.pid, subject.session) {
            self.look.root_left(before, self.kernel.boot_ns());
        }
        let agent = self.agent(subject, session, evidence, exe);
        let process = self.processes.describe(subject, exe, agent.root_pid);
        let reference = reference(&agent);
        self.roster.insert(subject.session, agent);
        let _ = self.changes.send(Change::Sessions);
        if subject.session & FOUND_RUNNING != 0 {
            self.mark.started.insert(subject.session);
        }
        let body = Body::AgentStarted {
            evidence: evidence.to_owned(),
        };
        self.put(subject.boot_ns, process, Some(reference), body);
    }

    /// A session that no record has told of: started before this daemon, or its record was lost.
    fn adopt(&mut self, subject: &Subject) {
        if subject.session == 0 || self.roster.contains(subject.session) {
            return;
        }
        let session = self.session(subject);
        let agent = self.agent(subject, session, "", None);
        self.roster.insert(subject.session, agent);
        let _ = self.changes.send(Change::Sessions);
    }

    /// The kernel's entry of the session, or what the record itself tells.
    fn session(&self, subject: &Subject) -> Session {
        let sessions = self.kernel.sessions().unwrap_or_default();
        let found = sessions
            .into_iter()
            .find(|session| session.number == subject.session);
        found.unwrap_or_else(|| Session {
            number: subject.session,
            agent_types: Some(subject.agent_type.clone())
                .filter(|agent_type| !agent_type.is_empty())
                .into_iter()
                .collect(),
            root_pid: subject.pid,
            root_start_boot_ns: subject.start_boot_ns,
        })
    }

    fn agent(
        &mut self,
        subject: &Subject,
        session: Session,
        evidence: &str,
        exe: Option<&[u8]>,
    ) -> Agent {
        let process = self.processes.describe(subject, exe, session.root_pid);
        Agent {
            id: agent_id(&self.facts.machine_id, &self.facts.boot_id, &session),
            agent_types: session.agent_types,
            root_pid: session.root_pid,
            root_start_boot_ns: session.root_start_boot_ns,
            exe: process.exe,
            user: process.user,
            uid: process.uid,
            container: process.container,
            interactive: self.processes.is_interactive(subject),
            evidence: evidence.to_owned(),
            started_ns: self.clock.wall_ns(subject.start_boot_ns),
        }
    }

    /// The end of the root is when a session most often ends; else any later exit is.
    fn exited(&mut self, subject: &Subject) {
        let now_ns = self.kernel.boot_ns();
        let is_root = self.roster.is_root(subject.session, subject.pid);
        if is_root {
            self.look.root_left(subject.session, now_ns);
        }
        if is_root || self.look.exited(subject.session, now_ns) {
            self.roster.set_ending(subject.session);
        }
    }

    /// Reports sessions that no thread belongs to any more.
    fn end_sessions(&mut self) {
        let now_ns = self.kernel.boot_ns();
        if self.roster.is_empty() || !self.look.is_due(now_ns) {
            return;
        }
        let Ok(live) = self.kernel.live_sessions() else {
            return;
        };
        let ended = self.roster.ended(&live);
        let numbers: Vec<u64> = ended.iter().map(|(number, _)| *number).collect();
        self.look
            .looked(now_ns, &numbers, !self.roster.has_ending());
        for (number, agent) in ended {
            // The kernel forgets it when its end is on disk.
            self.mark.ended.push(number);
            self.mark.started.remove(&number);
            let process = Process {
                pid: agent.root_pid,
                start_boot_ns: agent.root_start_boot_ns,
                uid: agent.uid,
                user: agent.user.clone(),
                exe: agent.exe.clone(),
                container: agent.container.clone(),
                ..Process::default()
            };
            self.put(
                self.kernel.boot_ns(),
                process,
                Some(reference(&agent)),
                Body::AgentEnded,
            );
            let _ = self.changes.send(Change::Sessions);
        }
    }

    fn end_windows(&mut self) {
        let now_ns = self.kernel.boot_ns();
        for (event, count) in self.operations.end(now_ns) {
            self.put_counted(event, count);
        }
    }

    fn put_counted(&self, mut event: Event, count: u64) {
        if let Body::Operation(operation) = &mut event.body {
            operation.count = count;
        }
        self.outbox.put(&event);
    }

    /// What was lost, and which helpers failed.
    fn report_losses(&mut self) {
        self.report_left_behind();
        let counters = self.kernel.counters();
        let now_ns = self.kernel.boot_ns();
        for body in self.told.tell(&mut self.mark.told, &counters, now_ns) {
            self.host_event(body);
        }
    }

    /// What programs that were replaced have recorded, and nobody can read any more.
    fn report_left_behind(&mut self) {
        let Some((spooled, reported)) = self.before else {
            return;
        };
        let Some(count) = self.kernel.left_behind(spooled, reported) else {
            return;
        };
        self.before = None;
        self.mark.left_told = true;
        if count > 0 {
            let cause = "an earlier version of Tyr recorded them, which this one cannot read";
            let cause = cause.to_owned();
            self.host_event(Body::Lost { cause, count });
        }
    }

    fn put(&self, boot_ns: u64, process: Process, agent: Option<AgentRef>, body: Body) {
        let time_ns = self.clock.wall_ns(boot_ns);
        self.outbox.put(&Event {
            time_ns,
            boot_ns,
            process,
            agent,
            body,
        });
    }

    fn is_observing(&self) -> bool {
        self.kernel.enforcement() == Enforcement::Observe
    }
}

fn reference(agent: &Agent) -> AgentRef {
    AgentRef {
        id: agent.id.clone(),
        agent_type: agent.agent_type().to_owned(),
    }
}

/// The distance between the two clocks.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Wall clock at boot, nanoseconds since 1970.
    boot_wall_ns: i64,
}

impl Clock {
    fn now(kernel: &dyn Kernel) -> Clock {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall_ns = i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX);
        Clock {
            boot_wall_ns: wall_ns.saturating_sub_unsigned(kernel.boot_ns()),
        }
    }

    fn wall_ns(self, boot_ns: u64) -> i64 {
        self.boot_wall_ns.saturating_add_unsigned(boot_ns)
    }
}
