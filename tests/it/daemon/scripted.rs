//! A kernel that does what a test tells it: it decides by the policies that were put in force and
//! keeps records until the daemon has taken them, as the ring buffer does.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tyr::daemon::kernel::{
    Decision, Enforcement, FOUND_RUNNING, InForce, Kernel, KernelError, Reason, Record, Ring,
    RunningAgent, Session, Subject, Wanted,
};
use tyr::model::action::Action;
use tyr::model::resource::Resource;
use tyr::model::verdict::{Mode, Verdict};
use tyr::policy::evaluate::{Request, evaluate};
use tyr::policy::fact::Fact;
use tyr::policy::own;
use tyr::policy::principal::Principal;

/// Number of the one session that [`Scripted::start_agent`] makes.
pub(super) const SESSION: u64 = 77;
pub(super) const ROOT: u32 = 4_000_000;
const RING_RECORDS: u64 = 4_096;

#[derive(Default)]
struct State {
    /// `None`: a record that cannot be read.
    buffer: VecDeque<Option<Record>>,
    /// Most records that fit; more are lost. 0: any number.
    room: usize,
    /// Position of the first record in the buffer.
    given_back: u64,
    /// Nothing is given back, as if the daemon were killed before it.
    is_held: bool,
    wanted: Option<Wanted>,
    generation: u32,
    sessions: Vec<Session>,
    live: HashSet<u64>,
    events_lost: u64,
    events_failed: u64,
    faults: u64,
    left_behind: Option<u64>,
    fails: Option<String>,
    unproven: Option<String>,
    proofs: u32,
    looks: u32,
    tagged: Vec<u32>,
}

impl State {
    fn record(&mut self, record: Record) {
        self.put(Some(record));
    }

    fn put(&mut self, record: Option<Record>) {
        if self.room > 0 && self.buffer.len() >= self.room {
            self.events_lost += 1;
        } else {
            self.buffer.push_back(record);
        }
    }
}

/// The kernel; outlives daemons.
pub(super) struct Scripted {
    state: Mutex<State>,
    started: Instant,
}

impl Scripted {
    pub(super) fn new() -> Arc<Scripted> {
        Arc::new(Scripted {
            state: Mutex::default(),
            started: Instant::now(),
        })
    }

    pub(super) fn start_agent(&self, agent_type: &str) {
        let session = Session {
            number: SESSION,
            agent_types: vec![agent_type.to_owned()],
            root_pid: ROOT,
            root_start_boot_ns: 1_000,
        };
        let subject = self.subject(ROOT, 1);
        let mut state = self.state.lock().unwrap();
        state.sessions.push(session);
        state.live.insert(SESSION);
        state.record(Record::AgentStarted(subject, b"/opt/claude".to_vec()));
    }

    /// A daemon has tagged an agent that ran already; no record tells of it.
    pub(super) fn tag_agent(&self, agent_type: &str) {
        let number = SESSION | FOUND_RUNNING;
        let session = Session {
            number,
            agent_types: vec![agent_type.to_owned()],
            root_pid: ROOT,
            root_start_boot_ns: 1_000,
        };
        let mut state = self.state.lock().unwrap();
        state.sessions.push(session);
        state.live.insert(number);
    }

    pub(super) fn end_agent(&self) {
        let subject = self.subject(ROOT, 1);
        let mut state = self.state.lock().unwrap();
        state.live.remove(&SESSION);
        state.record(Record::Exited(subject));
    }

    /// The root process ends and another one of the agent lives on.
    pub(super) fn end_root(&self) {
        let subject = self.subject(ROOT, 1);
        self.state.lock().unwrap().record(Record::Exited(subject));
    }

    /// The last process of the agent ends.
    pub(super) fn end_last(&self, pid: u32) {
        let subject = self.subject(pid, ROOT);
        let mut state = self.state.lock().unwrap();
        state.live.remove(&SESSION);
        state.record(Record::Exited(subject));
    }

    /// How often all tasks were walked.
    pub(super) fn looks(&self) -> u32 {
        self.state.lock().unwrap().looks
    }

    pub(super) fn exec(&self, pid: u32, parent_pid: u32, exe: &str) {
        let record = Record::Execed(self.subject(pid, parent_pid), exe.as_bytes().to_vec());
        self.state.lock().unwrap().record(record);
    }

    /// A process of the agent reads a file: decided by the policies in force, recorded.
    pub(super) fn read(&self, pid: u32, exe: &str, path: &str) -> Verdict {
        let subject = self.subject(pid, ROOT);
        let mut state = self.state.lock().unwrap();
        let wanted = state.wanted.as_ref().expect("policies are in force");
        let principal = Principal {
            agent_types: Fact::Known(vec![subject.agent_type.clone()]),
            exe: Fact::Known(exe.as_bytes().to_vec()),
            ..wanted.host.clone()
        };
        let resource = Resource::Paths(vec![path.as_bytes().to_vec()]);
        let request = Request {
            principal,
            action: Action::FileRead,
            resource: resource.clone(),
            moment: Some(wanted.moment),
        };
        let answer = evaluate(&wanted.policies, &request);
        let decision = Decision {
            action: Action::FileRead,
            resource,
            described: String::new(),
            verdict: answer.verdict,
            monitored: !answer.enforced,
            reason: Reason::Cell,
            exe: Some(exe.as_bytes().to_vec()),
        };
        let generation = state.generation;
        state.record(Record::Decision(
            Subject {
                generation,
                ..subject
            },
            decision,
        ));
        answer.verdict
    }

    /// What a kernel would say that does not follow its tables.
    pub(super) fn contradict(&self, pid: u32, path: &str, verdict: Verdict) {
        let subject = self.subject(pid, ROOT);
        let mut state = self.state.lock().unwrap();
        let decision = Decision {
            action: Action::FileRead,
            resource: Resource::Paths(vec![path.as_bytes().to_vec()]),
            described: String::new(),
            verdict,
            monitored: false,
            reason: Reason::Cell,
            exe: Some(b"/bin/cat".to_vec()),
        };
        let generation = state.generation;
        state.record(Record::Decision(
            Subject {
                generation,
                ..subject
            },
            decision,
        ));
    }

    /// From now on the daemon is one that is killed just before it gives records back.
    pub(super) fn hold(&self, is_held: bool) {
        self.state.lock().unwrap().is_held = is_held;
    }

    pub(super) fn lose(&self, count: u64) {
        self.state.lock().unwrap().events_lost += count;
    }

    /// From now on the buffer holds at most so many records.
    pub(super) fn limit(&self, room: usize) {
        self.state.lock().unwrap().room = room;
    }

    /// An operation whose record could not be made, and one that was denied by a fault.
    pub(super) fn break_helpers(&self) {
        let mut state = self.state.lock().unwrap();
        state.events_failed += 1;
        state.faults += 1;
    }

    /// A record that no daemon can read.
    pub(super) fn garble(&self) {
        self.state.lock().unwrap().put(None);
    }

    /// Programs that were replaced leave so many records.
    pub(super) fn leave_behind(&self, count: u64) {
        self.state.lock().unwrap().left_behind = Some(count);
    }

    pub(super) fn has_left_behind(&self) -> bool {
        self.state.lock().unwrap().left_behind.is_some()
    }

    pub(super) fn fail(&self, message: Option<&str>) {
        self.state.lock().unwrap().fails = message.map(str::to_owned);
    }

    /// From now on the self-test finds what `unproven` says; `None`: everything is denied.
    pub(super) fn set_unproven(&self, unproven: Option<&str>) {
        self.state.lock().unwrap().unproven = unproven.map(str::to_owned);
    }

    /// How often the self-test ran.
    pub(super) fn proofs(&self) -> u32 {
        self.state.lock().unwrap().proofs
    }

    /// Whether there are policies and none of them is enforced, but for what protects Tyr.
    pub(super) fn is_monitored(&self) -> bool {
        let state = self.state.lock().unwrap();
        let wanted = state.wanted.as_ref();
        wanted.is_some_and(|wanted| {
            let (own, set): (Vec<_>, Vec<_>) = wanted
                .policies
                .iter()
                .partition(|effective| effective.policy.name == own::NAME);
            assert!(own.iter().all(|effective| effective.mode == Mode::Enforce));
            !set.is_empty() && set.iter().all(|effective| effective.mode == Mode::Monitor)
        })
    }

    /// `name` of every policy in force, but for what protects Tyr.
    pub(super) fn in_force(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let policies = state
            .wanted
            .iter()
            .flat_map(|wanted| wanted.policies.iter());
        policies
            .map(|effective| effective.policy.name.clone())
            .filter(|name| name != own::NAME)
            .collect()
    }

    /// Sessions and what was known of them when policies were last put in force.
    pub(super) fn refined(&self) -> Vec<(u64, Principal)> {
        self.state
            .lock()
            .unwrap()
            .wanted
            .as_ref()
            .map_or(Vec::new(), |w| w.sessions.clone())
    }

    pub(super) fn generation(&self) -> u32 {
        self.state.lock().unwrap().generation
    }

    pub(super) fn is_drained(&self) -> bool {
        self.state.lock().unwrap().buffer.is_empty()
    }

    fn subject(&self, pid: u32, parent_pid: u32) -> Subject {
        Subject {
            session: SESSION,
            boot_ns: self.boot_ns(),
            start_boot_ns: u64::from(pid),
            exec_boot_ns: u64::from(pid),
            pid,
            parent_pid,
            uid: 0,
            comm: "x".to_owned(),
            agent_type: "claude-code".to_owned(),
            ..Subject::default()
        }
    }
}

impl Kernel for Scripted {
    fn enforcement(&self) -> Enforcement {
        let state = self.state.lock().unwrap();
        if state.proofs > 0 && state.unproven.is_none() {
            Enforcement::Lsm
        } else {
            Enforcement::Observe
        }
    }

    fn limits(&self) -> Vec<String> {
        let mut limits = vec!["a scripted kernel".to_owned()];
        limits.extend(self.state.lock().unwrap().unproven.clone());
        limits
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let state = self.state.lock().unwrap();
        let counters = [
            ("events_lost", state.events_lost),
            ("events_failed", state.events_failed),
            ("faults", state.faults),
        ];
        counters
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn boot_ns(&self) -> u64 {
        1_000_000_000 + self.started.elapsed().as_nanos() as u64
    }

    fn generation(&self) -> u32 {
        self.state.lock().unwrap().generation
    }

    fn put_in_force(&self, wanted: &Wanted) -> Result<InForce, KernelError> {
        let mut state = self.state.lock().unwrap();
        if let Some(message) = &state.fails {
            return Err(KernelError(message.clone()));
        }
        state.generation += 1;
        state.wanted = Some(wanted.clone());
        Ok(InForce {
            generation: state.generation,
            limits: Vec::new(),
        })
    }

    fn prove(&self) -> Result<(), KernelError> {
        let mut state = self.state.lock().unwrap();
        assert!(state.generation > 0, "a proof is of an image in force");
        state.proofs += 1;
        state
            .unproven
            .clone()
            .map_or(Ok(()), |unproven| Err(KernelError(unproven)))
    }

    fn sessions(&self) -> Result<Vec<Session>, KernelError> {
        Ok(self.state.lock().unwrap().sessions.clone())
    }

    fn live_sessions(&self) -> Result<HashSet<u64>, KernelError> {
        let mut state = self.state.lock().unwrap();
        state.looks += 1;
        Ok(state.live.clone())
    }

    fn remove_session(&self, number: u64) -> Result<(), KernelError> {
        self.state
            .lock()
            .unwrap()
            .sessions
            .retain(|session| session.number != number);
        Ok(())
    }

    fn tag(&self, agents: &[RunningAgent]) -> Vec<(u32, KernelError)> {
        let mut state = self.state.lock().unwrap();
        state.tagged.extend(agents.iter().map(|agent| agent.pid));
        Vec::new()
    }

    fn tag_interpreters(&self, _pids: &[u32]) -> Result<(), KernelError> {
        Ok(())
    }

    fn left_behind(&self, _spooled: Option<(u64, u64)>, _reported: u64) -> Option<u64> {
        self.state.lock().unwrap().left_behind
    }

    fn forget_left_behind(&self) {
        self.state.lock().unwrap().left_behind = None;
    }

    fn ring(&self) -> Result<Option<Box<dyn Ring + '_>>, KernelError> {
        let position = self.state.lock().unwrap().given_back;
        Ok(Some(Box::new(ScriptedRing {
            kernel: self,
            position,
        })))
    }

    fn wait_for_mounts(&self, stop: &AtomicBool) -> bool {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

/// Every record takes one byte.
struct ScriptedRing<'a> {
    kernel: &'a Scripted,
    position: u64,
}

impl Ring for ScriptedRing<'_> {
    fn identity(&self) -> u64 {
        1
    }

    fn size(&self) -> u64 {
        RING_RECORDS
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn next(&mut self) -> Option<Result<Record, KernelError>> {
        let state = self.kernel.state.lock().unwrap();
        let index = (self.position - state.given_back) as usize;
        let record = state.buffer.get(index)?.clone();
        self.position += 1;
        Some(record.ok_or_else(|| KernelError("the record is damaged".to_owned())))
    }

    fn wait(&mut self, timeout: Duration) -> Result<(), KernelError> {
        std::thread::sleep(timeout.min(Duration::from_millis(1)));
        Ok(())
    }

    fn commit(&mut self, position: u64) {
        let mut state = self.kernel.state.lock().unwrap();
        if position <= state.given_back + state.buffer.len() as u64 && !state.is_held {
            while state.given_back < position {
                state.buffer.pop_front();
                state.given_back += 1;
            }
            self.position = self.position.max(position);
        }
    }
}
