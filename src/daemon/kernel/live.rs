//! The real kernel: programs and maps, mount tables, and the policy compiler.

mod containers;
mod links;
mod places;
mod prove;
mod records;
mod ring;
mod running;
mod skipped;

mod release;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use crate::daemon::compiler::Compiler;
use crate::kernel::load::{LoadOptions, Programs, Scope};
use crate::kernel::memory;
use crate::kernel::mounts::{MountWatch, Mounts, Tables};
use crate::kernel::object::EnforcementMode;
use crate::kernel::ringbuf::RingReader;
use crate::kernel::selftest;
use crate::kernel::sessions;
use crate::kernel::tagging::boot_clock_ns;
use crate::policy::compile::{Compiled, Input, Superblock};
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

use super::{Enforcement, InForce, Kernel, KernelError, Ring, RunningAgent, Session, Wanted};
use containers::Containers;
use links::Searched;
use prove::{Proving, Unproven};
use ring::LiveRing;
use skipped::Skipped;

/// How long a wait may keep the daemon from ending.
const WAIT: Duration = Duration::from_millis(500);
/// How long a new container's mounts may take to be noticed.
const MOUNTS_WAIT: Duration = Duration::from_millis(100);
const CONTAINERS_LIMIT: &str = "the mounts of containers do not fit the policy image: paths inside \
     them are not matched, and what is mounted only there counts as not known";

const PREDECESSOR_LIMIT: &str = "the kernel programs of an earlier version still enforce beside \
     this version's, with the policies they had: they go when a policy set is in force";

/// The kernel of this host.
pub struct Live {
    programs: Programs,
    signatures: Signatures,
    compiler: Compiler,
    /// Whether operations that no rule matches leave events.
    unmatched_events: bool,
    mounts: RwLock<Tables>,
    mounts_read: Mutex<Instant>,
    /// One for as long as the daemon lives: a change between two waits is told by the second.
    watch: MountWatch,
    containers: Containers,
    /// The search for hard links that the image in force rests on.
    searched: Mutex<Searched>,
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
            compiler: Compiler::own(),
            unmatched_events,
            mounts: RwLock::new(Tables::new(Mounts::read().map_err(said)?, Vec::new())),
            containers: Containers::new(),
            searched: Mutex::default(),
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

    fn compile(
        &self,
        wanted: &Wanted,
        superblocks: &[Superblock],
    ) -> Result<Compiled, KernelError> {
        let (policies, slots) = self.with_self_test(wanted);
        let input = Input {
            policies: &policies,
            signatures: &self.signatures,
            host: &wanted.host,
            superblocks,
            slots: &slots,
            moment: Some(wanted.moment),
            unmatched_is_silent: !self.unmatched_events,
        };
        // What reading the policies took, before the tables come.
        memory::give_back();
        self.compiler.compile(&input).map_err(said)
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

    /// Compiles policies with another executable than this process's own.
    #[must_use]
    pub fn compiled_by(mut self, compiler: Compiler) -> Live {
        self.compiler = compiler;
        self
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
        let lost = self.programs.counters().map(|counters| counters.links_lost);
        if let Ok(lost @ 1..) = lost {
            limits.push(format!(
                "{lost} names of files with several hard links could not be kept: a rule for one \
                 of them may not hold for the others"
            ));
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

    fn generation(&self) -> u32 {
        self.programs.generation().unwrap_or_default()
    }

    fn put_in_force(&self, wanted: &Wanted) -> Result<InForce, KernelError> {
        let mut limits = if self.is_observing() {
            Vec::new()
        } else {
            self.containers.refresh(&self.programs)?
        };
        let tables = self.read_mounts()?;
        let mut compiled = self.compile(wanted, &tables.superblocks());
        if compiled.is_err() && tables.has_containers() {
            limits.push(CONTAINERS_LIMIT.to_owned());
            compiled = self.compile(wanted, &tables.host().superblocks());
        }
        let mut compiled = compiled?;
        limits.append(&mut compiled.limits);
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
        let names = self.link_names(&wanted.policies, &tables, &mut limits)?;
        let mut lost = 0;
        let canary = turn.as_mut().and_then(|proving| proving.canary.take());
        let prepare = |generation: u32| {
            if let Some(canary) = &canary {
                let session = canary.session();
                self.programs.refine_session(session, generation, slot)?;
            }
            for ((number, _), slot) in wanted.sessions.iter().zip(&compiled.slots) {
                self.programs.refine_session(*number, generation, *slot)?;
            }
            lost = self.programs.keep_links(generation, &compiled, &names)?;
            Ok(())
        };
        let generation = self.programs.install(&compiled, prepare).map_err(said)?;
        // The image is in force, whatever becomes of them.
        match self.keep_late_links(generation, &compiled, &names) {
            Ok(late) => lost += late,
            Err(error) => limits.push(format!(
                "hard links that were made while policies changed cannot be kept: {error}; a rule \
                 for one name of such a file may not hold for the others"
            )),
        }
        if lost > 0 {
            limits.push(format!(
                "{lost} names of files with several hard links do not fit the kernel's table: a \
                 rule for one of them may not hold for the others"
            ));
        }
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
            if self.containers.have_changed() {
                return true;
            }
            let containers = self.containers.watches();
            let watches: Vec<&MountWatch> =
                std::iter::once(&self.watch).chain(&containers).collect();
            match MountWatch::wait_for_any(&watches, MOUNTS_WAIT) {
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
