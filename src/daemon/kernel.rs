//! What the daemon asks of the kernel, as an interface.
//!
//! The daemon's logic sees only this, so a scripted kernel can stand in for it where no program
//! may be loaded. The real one is in `live`.

pub mod live;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::model::verdict::Verdict;
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;

/// How verdicts are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    Lsm,
    /// Degraded.
    FmodRet,
    /// Nothing is blocked.
    Observe,
}

/// Who a record is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// 0: no session.
    pub session: u64,
    /// CLOCK_BOOTTIME.
    pub boot_ns: u64,
    /// Start of the process.
    pub start_boot_ns: u64,
    /// Start of the program it runs.
    pub exec_boot_ns: u64,
    pub cgroup_id: u64,
    pub pid: u32,
    pub parent_pid: u32,
    pub uid: u32,
    pub generation: u32,
    pub comm: String,
    /// Signature id of the session's innermost agent; empty: not known.
    pub agent_type: String,
}

/// Why the kernel gave its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Cell,
    Unsettled,
    TooLong,
    Fault,
    /// The rule of self-protection that forbids it.
    SelfProtection(&'static str),
    Moved,
    /// Another name of the object lies under the rule.
    Linked,
}

/// One decision of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub action: Action,
    /// [`Resource::Unknown`] when the path could not be settled.
    pub resource: Resource,
    /// Text for people when `resource` has none: a part of a path, an address of another family.
    pub described: String,
    pub verdict: Verdict,
    /// The verdict is reported and not enforced.
    pub monitored: bool,
    pub reason: Reason,
    /// Real path of the executable; `None`: not known.
    pub exe: Option<Vec<u8>>,
}

/// One record of the kernel, checked and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Decision(Subject, Decision),
    /// A session became an agent; `path` shows it.
    AgentStarted(Subject, Vec<u8>),
    Execed(Subject, Vec<u8>),
    Exited(Subject),
}

/// An agent session as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub number: u64,
    /// Signature ids, outermost agent first.
    pub agent_types: Vec<String>,
    pub root_pid: u32,
    pub root_start_boot_ns: u64,
}

/// An agent that ran before the programs were attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningAgent {
    pub pid: u32,
    /// Signature ids, outermost agent first; the last is its own.
    pub agent_types: Vec<String>,
    /// The agent right around it.
    pub around: Option<u32>,
}

/// Numbers of sessions that no record tells of, because they were given to agents found running,
/// have this bit.
pub const FOUND_RUNNING: u64 = 1 << 63;

/// What is to be in force.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub policies: Arc<Vec<Effective>>,
    /// Facts of the host: name, labels. Nothing else is known in it.
    pub host: Principal,
    /// Live sessions and what is known of them.
    pub sessions: Vec<(u64, Principal)>,
    pub moment: Moment,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    pub generation: u32,
    /// What this host does not enforce of the policies, one sentence each.
    pub limits: Vec<String>,
}

/// The kernel refuses, or the policies cannot be compiled for it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct KernelError(pub String);

/// The kernel, as far as the daemon needs it. Methods may be called from any thread.
pub trait Kernel: Send + Sync {
    /// What was proved last; `Observe` before the first proof and while one fails.
    fn enforcement(&self) -> Enforcement;

    /// Why enforcement is not full, one sentence each.
    fn limits(&self) -> Vec<String>;

    /// Counters since the programs were loaded, by name. `events_lost` is among them.
    fn counters(&self) -> BTreeMap<String, u64>;

    /// CLOCK_BOOTTIME now, nanoseconds.
    fn boot_ns(&self) -> u64;

    /// Number of the generation in force; 0 before the first, and where nothing is enforced.
    fn generation(&self) -> u32;

    /// Compiles `wanted` and puts it in force as a new generation. On an error the generation
    /// before holds.
    fn put_in_force(&self, wanted: &Wanted) -> Result<InForce, KernelError>;

    /// Lets a throw-away process try what it must be refused, under the image in force. Where
    /// nothing is enforced there is nothing to prove.
    ///
    /// An error says what was not refused, or why it could not be tried.
    fn prove(&self) -> Result<(), KernelError>;

    /// Sessions that are agents.
    fn sessions(&self) -> Result<Vec<Session>, KernelError>;

    /// Numbers of sessions that some thread still belongs to.
    fn live_sessions(&self) -> Result<HashSet<u64>, KernelError>;

    fn remove_session(&self, number: u64) -> Result<(), KernelError>;

    /// Gives running processes, and everything that they made, the identity they would have had.
    /// Returns those that could not be given it, and why.
    fn tag(&self, agents: &[RunningAgent]) -> Vec<(u32, KernelError)>;

    /// Lets what running interpreters open from now on show whether they are agents.
    fn tag_interpreters(&self, pids: &[u32]) -> Result<(), KernelError>;

    /// How many records of programs that were replaced nobody can read any more: those behind
    /// `spooled` in their buffer, and those their buffer had no room for, less the `reported`
    /// ones. `None`: no such programs, or already forgotten.
    fn left_behind(&self, spooled: Option<(u64, u64)>, reported: u64) -> Option<u64>;

    /// What was left behind is told.
    fn forget_left_behind(&self);

    /// The buffer that records come through; `None`: this kernel makes none. Only one may be
    /// open.
    fn ring(&self) -> Result<Option<Box<dyn Ring + '_>>, KernelError>;

    /// Waits until the mount table changes or has changed since the last call (true), or `stop` is
    /// set (false).
    fn wait_for_mounts(&self, stop: &AtomicBool) -> bool;
}

/// The kernel's records, oldest first. They stay in its buffer until they are given back, for
/// this daemon or the next; when it is full, records are lost and counted. Positions are bytes
/// since the buffer was made, and never go back.
pub trait Ring {
    /// Names this buffer among all of this boot.
    fn identity(&self) -> u64;

    /// Most bytes that fit.
    fn size(&self) -> u64;

    /// After the last record that was taken, or given back.
    fn position(&self) -> u64;

    /// Takes the next record; `None`: there is none yet. An error is a record that cannot be
    /// read; the one after it can be taken.
    fn next(&mut self) -> Option<Result<Record, KernelError>>;

    /// Waits until there is a record to take, at most `timeout`.
    fn wait(&mut self, timeout: Duration) -> Result<(), KernelError>;

    /// Gives back everything before `position`. One behind what was given back, or ahead of all
    /// records, changes nothing.
    fn commit(&mut self, position: u64);
}
