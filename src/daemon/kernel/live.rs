//! The real kernel: programs and maps, the host's mount table, and the policy compiler.

mod prove;
mod ring;
mod running;
mod skipped;

mod release;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use crate::kernel::load::{LoadOptions, Programs, Scope};
use crate::kernel::mounts::{MountWatch, Mounts};
use crate::kernel::object::EnforcementMode;
use crate::kernel::record;
use crate::kernel::ringbuf::RingReader;
use crate::kernel::selftest;
use crate::kernel::sessions;
use crate::kernel::tagging::boot_clock_ns;
use crate::model::event::path_text;
use crate::model::resource::{Protocol, Resource};
use crate::policy::compile::{Input, compile};
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

use super::{
    Decision, Enforcement, InForce, Kernel, KernelError, Reason, Record, Ring, RunningAgent,
    Session, Subject, Wanted,
};
use prove::{Proving, Unproven};
use ring::{LiveRing, agent_type};
use skipped::Skipped;

/// How long a wait may keep the daemon from ending.
const WAIT: Duration = Duration::from_millis(500);
/// The mount table is read again for a record at most this often.
const MOUNTS_READ_INTERVAL: Duration = Duration::from_millis(200);

const PREDECESSOR_LIMIT: &str = "the kernel programs of an earlier version still enforce beside \
     this version's, with the policies they had: they go when a policy set is in force";

/// The kernel of this host.
pub struct Live {
    programs: Programs,
    signatures: Signatures,
    /// Whether operations that no rule matches leave events.
    unmatched_events: bool,
    mounts: RwLock<Mounts>,
    mounts_read: Mutex<Instant>,
    /// One for as long as the daemon lives: a change between two waits is told by the second.
    watch: MountWatch,
    /// Stands for the kernel's generations where nothing is attached.
    observed_generation: AtomicU32,
    /// Replaced programs have left records that are not told as lost yet.
    left_behind: AtomicBool,
    skipped: Skipped,
    /// Held by whoever tags processes or changes the image.
    turn: Mutex<Option<Proving>>,
    /// Why enforcement is not claimed; `None`: it was proved.
    unproven: Mutex<Option<Unproven>>,
    /// How often it is proved again, for whoever reads the canary's state.
    proof_interval: Duration,
}

impl Live {
    /// Loads the programs, or adopts those that an earlier daemon left.
    ///
    /// # Errors
    ///
    /// The scope is no cgroup, or the pins cannot be used. That no program can be attached is no
    /// error: the kernel then only observes, and says why.
    pub fn load(
        signatures: Signatures,
        scope: Option<&Path>,
        unmatched_events: bool,
    ) -> Result<Live, KernelError> {
        let scope = scope.map(Scope::of).transpose().map_err(said)?;
        let programs = Programs::load(&LoadOptions {
            scope,
            ..LoadOptions::default()
        })
        .map_err(said)?;
        if programs.mode() != EnforcementMode::Observe {
            programs.protect_process(std::process::id()).map_err(said)?;
        }
        // Opened before the table is read, so that no change falls between the two.
        let watch = MountWatch::new().map_err(said)?;
        Ok(Live {
            left_behind: AtomicBool::new(programs.has_left_behind().map_err(said)?),
            programs,
            watch,
            signatures,
            unmatched_events,
            mounts: RwLock::new(Mounts::read().map_err(said)?),
            mounts_read: Mutex::new(Instant::now()),
            skipped: Skipped::default(),
            observed_generation: AtomicU32::new(0),
            turn: Mutex::new(None),
            unproven: Mutex::new(Some(Unproven::now(
                "enforcement has not been proved yet".to_owned(),
            ))),
            proof_interval: Duration::ZERO,
        })
    }

    /// Sessions of agents, without those of self-tests.
    fn agent_sessions(&self) -> Result<Vec<(u64, sessions::Session)>, KernelError> {
        let mut sessions = self.programs.sessions().map_err(said)?;
        sessions.retain(|(_, session)| session.types != [selftest::TYPE_NUMBER]);
        Ok(sessions)
    }

    fn turn(&self) -> MutexGuard<'_, Option<Proving>> {
        self.turn
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The policies with the rules of the self-test, and the slots: those of the sessions, then
    /// that of the self-test, then that of sessions of which nothing is known.
    fn with_self_test(&self, wanted: &Wanted) -> (Vec<Effective>, Vec<Principal>) {
        let mut slots: Vec<Principal> = wanted
            .sessions
            .iter()
            .map(|(_, principal)| principal.clone())
            .collect();
        slots.push(selftest::principal());
        slots.push(selftest::stranger(
            &wanted.policies,
            &self.signatures,
            &wanted.host,
        ));
        let mut policies = wanted.policies.to_vec();
        policies.push(selftest::policy());
        (policies, slots)
    }

    /// Tells whoever asks, from the next proof on, that there will be one every `interval`.
    #[must_use]
    pub fn proved_every(mut self, interval: Duration) -> Live {
        self.proof_interval = interval;
        self
    }

    /// Whether an earlier daemon's programs were taken over.
    pub fn adopted(&self) -> bool {
        self.programs.adopted()
    }

    fn is_observing(&self) -> bool {
        self.programs.mode() == EnforcementMode::Observe
    }

    fn type_ids(&self, numbers: &[u32]) -> Vec<String> {
        numbers
            .iter()
            .filter_map(|number| self.type_id(*number))
            .collect()
    }

    fn type_id(&self, number: u32) -> Option<String> {
        let number = u16::try_from(number).ok()?;
        self.signatures.id(number).map(str::to_owned)
    }

    /// Host paths of a file. An unknown file system makes the mount table be read again: it may
    /// have been mounted a moment ago.
    fn host_paths(&self, place: &record::Place) -> Vec<Vec<u8>> {
        let ask = || {
            let mounts = self
                .mounts
                .read()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            mounts.host_path(place.dev, &place.path)
        };
        if place.dev == 0 {
            // No file system: nothing, or the name that stands for programs without one.
            return if place.path.is_empty() {
                Vec::new()
            } else {
                vec![place.path.clone()]
            };
        }
        let paths = ask();
        if paths.is_empty() && self.read_mounts_again() {
            ask()
        } else {
            paths
        }
    }

    fn read_mounts_again(&self) -> bool {
        let mut last: MutexGuard<'_, Instant> = self
            .mounts_read
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if last.elapsed() < MOUNTS_READ_INTERVAL {
            return false;
        }
        *last = Instant::now();
        self.read_mounts().is_ok()
    }

    fn read_mounts(&self) -> Result<Mounts, KernelError> {
        let mounts = Mounts::read().map_err(said)?;
        *self
            .mounts
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = mounts.clone();
        Ok(mounts)
    }

    /// `None`: the self-test's.
    fn record(&self, record: record::Record) -> Option<Record> {
        if agent_type(&record) == selftest::TYPE_NUMBER {
            return None;
        }
        Some(match record {
            record::Record::Operation(origin, operation) => {
                let decision = self.decision(&operation);
                Record::Decision(self.subject(&origin, operation.agent_type), decision)
            }
            record::Record::AgentStarted(origin, program) => {
                let path = self.program_path(&program);
                Record::AgentStarted(self.subject(&origin, program.agent_type), path)
            }
            record::Record::ProcessExeced(origin, program) => {
                let path = self.program_path(&program);
                Record::Execed(self.subject(&origin, program.agent_type), path)
            }
            record::Record::ProcessExited(origin, program) => {
                Record::Exited(self.subject(&origin, program.agent_type))
            }
        })
    }

    fn subject(&self, origin: &record::Origin, agent_type: u32) -> Subject {
        Subject {
            session: origin.session,
            boot_ns: origin.boot_ns,
            start_boot_ns: origin.start_boot_ns,
            exec_boot_ns: origin.exec_boot_ns,
            cgroup_id: origin.cgroup_id,
            pid: origin.tgid,
            parent_pid: origin.parent_tgid,
            uid: origin.uid,
            generation: origin.generation,
            comm: path_text(&origin.comm),
            agent_type: self.type_id(agent_type).unwrap_or_default(),
        }
    }

    fn program_path(&self, program: &record::Program) -> Vec<u8> {
        self.host_paths(&program.file)
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    fn decision(&self, operation: &record::Operation) -> Decision {
        let reason = match operation.reason {
            record::Reason::Cell => Reason::Cell,
            record::Reason::Unsettled => Reason::Unsettled,
            record::Reason::TooLong => Reason::TooLong,
            record::Reason::Fault => Reason::Fault,
            record::Reason::Own(rule) => Reason::SelfProtection(rule.name()),
            record::Reason::Moved => Reason::Moved,
        };
        let (resource, described) = self.resource(&operation.object, reason);
        Decision {
            action: operation.action,
            resource,
            described,
            verdict: operation.verdict,
            monitored: operation.monitored,
            reason,
            exe: self.host_paths(&operation.exe).into_iter().next(),
        }
    }

    fn resource(&self, object: &record::Object, reason: Reason) -> (Resource, String) {
        match object {
            record::Object::File(place) => {
                let paths = self.host_paths(place);
                let is_unknown = matches!(reason, Reason::Unsettled | Reason::TooLong);
                if is_unknown || paths.is_empty() {
                    let shown = paths.first().unwrap_or(&place.path);
                    (Resource::Unknown, path_text(shown))
                } else {
                    (Resource::Paths(paths), String::new())
                }
            }
            record::Object::Act(act) => (Resource::Unknown, act.to_string()),
            record::Object::Address {
                ip: Some(ip),
                port,
                protocol,
            } => {
                let (ip, port) = (ip.to_canonical(), *port);
                let protocol = Protocol::from_number(*protocol);
                (Resource::Address { ip, port, protocol }, String::new())
            }
            record::Object::Address {
                ip: None,
                port,
                protocol,
            } => {
                let protocol = Protocol::from_number(*protocol).name();
                (Resource::Unknown, format!("any address:{port}/{protocol}"))
            }
        }
    }
}

impl Kernel for Live {
    fn enforcement(&self) -> Enforcement {
        if self.unproven().is_some() {
            return Enforcement::Observe;
        }
        match self.programs.mode() {
            EnforcementMode::Lsm => Enforcement::Lsm,
            EnforcementMode::FmodRet => Enforcement::FmodRet,
            EnforcementMode::Observe => Enforcement::Observe,
        }
    }

    fn limits(&self) -> Vec<String> {
        let mut limits = self.programs.limits().to_vec();
        if !self.is_observing()
            && let Some(unproven) = &*self.unproven()
        {
            limits.insert(0, unproven.to_string());
        }
        if self.programs.has_predecessor() {
            limits.push(PREDECESSOR_LIMIT.to_owned());
        }
        limits.extend(self.skipped.limit(&self.programs));
        limits
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let Ok(counters) = self.programs.counters() else {
            return BTreeMap::new();
        };
        let named = counters.named().into_iter();
        let mut all: BTreeMap<String, u64> = named
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        all.insert("skipped".to_owned(), self.skipped.count(&self.programs));
        all
    }

    fn boot_ns(&self) -> u64 {
        boot_clock_ns()
    }

    fn put_in_force(&self, wanted: &Wanted) -> Result<InForce, KernelError> {
        let superblocks = self.read_mounts()?.superblocks();
        let (policies, slots) = self.with_self_test(wanted);
        let mut compiled = compile(&Input {
            policies: &policies,
            signatures: &self.signatures,
            host: &wanted.host,
            superblocks: &superblocks,
            slots: &slots,
            moment: Some(wanted.moment),
            unmatched_is_silent: !self.unmatched_events,
        })
        .map_err(said)?;
        let mut limits = std::mem::take(&mut compiled.limits);
        if self.is_observing() {
            let generation = self.observed_generation.fetch_add(1, Ordering::Relaxed) + 1;
            limits.insert(
                0,
                "no policy is enforced: this kernel only lets Tyr observe".to_owned(),
            );
            return Ok(InForce { generation, limits });
        }
        let [.., slot, unknown_slot] = compiled.slots[..] else {
            return Err(KernelError(
                "the image has no slot for the self-test".to_owned(),
            ));
        };
        compiled.unknown_slot = unknown_slot;
        let mut turn = self.turn();
        let canary = turn.as_mut().and_then(|proving| proving.canary.take());
        let prepare = |generation: u32| {
            if let Some(canary) = &canary {
                let session = canary.session();
                self.programs.refine_session(session, generation, slot)?;
            }
            for ((number, _), slot) in wanted.sessions.iter().zip(&compiled.slots) {
                self.programs.refine_session(*number, generation, *slot)?;
            }
            Ok(())
        };
        let generation = self.programs.install(&compiled, prepare).map_err(said)?;
        *turn = Some(Proving {
            generation,
            slot,
            canary,
            asked: 0,
        });
        match self.programs.take_over() {
            Ok(false) => {}
            Ok(true) => self.left_behind.store(true, Ordering::Release),
            Err(error) => {
                tracing::error!(%error, "programs of an earlier version stay until the next try");
            }
        }
        Ok(InForce { generation, limits })
    }

    fn prove(&self) -> Result<(), KernelError> {
        if self.is_observing() {
            *self.unproven() = None;
            return Ok(());
        }
        let outcome = self.try_proof();
        let said = self.note(&outcome);
        self.leave_state(said);
        outcome
    }

    fn sessions(&self) -> Result<Vec<Session>, KernelError> {
        if self.is_observing() {
            return Ok(Vec::new());
        }
        Ok(self
            .agent_sessions()?
            .into_iter()
            .map(|(number, session)| Session {
                number,
                agent_types: self.type_ids(&session.types),
                root_pid: session.root_tgid,
                root_start_boot_ns: session.root_start_boot_ns,
            })
            .collect())
    }

    fn live_sessions(&self) -> Result<HashSet<u64>, KernelError> {
        Ok(self
            .programs
            .live_sessions()
            .map_err(said)?
            .into_iter()
            .collect())
    }

    fn remove_session(&self, number: u64) -> Result<(), KernelError> {
        self.programs.remove_session(number).map_err(said)
    }

    fn tag(&self, agents: &[RunningAgent]) -> Vec<(u32, KernelError)> {
        self.tag_running(agents)
    }

    fn tag_interpreters(&self, pids: &[u32]) -> Result<(), KernelError> {
        let _turn = self.turn();
        self.programs.tag_interpreters(pids).map_err(said)
    }

    fn left_behind(&self, spooled: Option<(u64, u64)>, reported: u64) -> Option<u64> {
        self.count_left_behind(spooled, reported)
    }

    fn forget_left_behind(&self) {
        self.remove_left_behind();
    }

    fn ring(&self) -> Result<Option<Box<dyn Ring + '_>>, KernelError> {
        if self.is_observing() {
            return Ok(None);
        }
        let reader = RingReader::open(&self.programs).map_err(said)?;
        Ok(Some(Box::new(LiveRing { live: self, reader })))
    }

    fn wait_for_mounts(&self, stop: &AtomicBool) -> bool {
        while !stop.load(Ordering::Relaxed) {
            match self.watch.wait_for_change(WAIT) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot watch the mount table");
                    std::thread::sleep(WAIT);
                }
            }
        }
        false
    }
}

fn said(error: impl std::error::Error) -> KernelError {
    KernelError(crate::exit::chain(&error))
}
