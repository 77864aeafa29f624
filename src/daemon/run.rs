//! The daemon's life: what starts in which order, what runs side by side, and how it ends.
//!
//! Enforcement comes first: programs, then the last good policies, then agents that already run.
//! The server is spoken with only after that. Ending leaves enforcement on.

mod machine;
mod records;
mod threads;

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::exit::{Exit, Failure, chain};
use crate::model::event::Body;
use crate::policy::fact::Fact;
use crate::policy::principal::Principal;
use crate::policy::signatures::Signatures;

use super::config::Config;
use super::discover::discover;
use super::engine::{Engine, HostFacts, Parts};
use super::enroll;
use super::export;
use super::heartbeat::{self, About};
use super::history::History;
use super::identity::Identity;
use super::judge::Generations;
use super::kernel::{Kernel, RunningAgent};
use super::link::Link;
use super::mark::Mark;
use super::metrics::Metrics;
use super::outbox::Outbox;
use super::policies::{self, Set};
use super::processes::Processes;
use super::procfs::Procfs;
use super::protect;
use super::roster::Roster;
use super::spool::{Limits, Spool};
use super::state::StateDir;
use super::sync::{Canary, Change, Enforcer, Glass, Status};
use super::watch as policy_watch;

pub use machine::MachineFacts;
use records::{Ending, Records};

/// How long the last events may take to reach the server when the daemon ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a daemon is started with.
pub struct Setup {
    pub config: Config,
    pub state: Arc<StateDir>,
    pub kernel: Arc<dyn Kernel>,
    pub signatures: Signatures,
    pub machine: MachineFacts,
    pub procfs: Procfs,
}

/// A daemon at work.
pub struct Running {
    ending: Arc<Ending>,
    changes: Sender<Change>,
    threads: Vec<JoinHandle<()>>,
    tasks: JoinSet<()>,
    engine: Arc<Mutex<Engine>>,
    spool: Arc<Spool>,
    status: watch::Receiver<Status>,
    uplink: Option<Uplink>,
    connected: bool,
}

/// What speaking with the server needs; there is none without a server.
struct Uplink {
    server: String,
    about: heartbeat::About,
    state: Arc<StateDir>,
    kernel: Arc<dyn Kernel>,
    roster: Arc<Roster>,
    outbox: Arc<Outbox>,
    metrics: Arc<Metrics>,
}

impl Running {
    /// Starts to speak with the server as the host that `identity` names. Events wait in the spool
    /// until then, and policies of the last time hold.
    pub fn connect(&mut self, identity: Identity) {
        let Some(uplink) = self.uplink.take() else {
            return;
        };
        self.connected = true;
        let (renewed, identity) = watch::channel(Arc::new(identity));
        let link = Link::new(uplink.server.clone(), identity);
        self.tasks.spawn(export::run(
            link.clone(),
            Arc::clone(&self.spool),
            uplink.outbox.subscribe(),
            Arc::clone(&uplink.metrics),
        ));
        self.tasks.spawn(policy_watch::run(
            link.clone(),
            self.changes.clone(),
            self.status.clone(),
        ));
        let sources = heartbeat::Sources {
            about: uplink.about,
            kernel: uplink.kernel,
            roster: uplink.roster,
            spool: Arc::clone(&self.spool),
            metrics: uplink.metrics,
        };
        self.tasks
            .spawn(heartbeat::run(link, sources, self.status.clone()));
        self.tasks
            .spawn(enroll::keep_renewed(uplink.server, uplink.state, renewed));
    }

    /// Puts an event about the host itself into the audit.
    pub fn tell(&self, body: Body) {
        self.engine
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .host_event(body);
    }

    /// What is known of the policies in force.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Whether every thread still runs: a daemon without one of them is better started anew.
    pub fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Ends everything but enforcement. What was counted is reported, and the spool is given a
    /// moment to drain.
    pub async fn stop(mut self) {
        self.ending.stop.store(true, Ordering::Release);
        // A full channel cannot be: it has no bound, and its receiver handles or ends.
        let _ = self.changes.send(Change::Stop);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            threads
                .into_iter()
                .filter_map(|thread| thread.join().err())
                .count()
        });
        if joined.await.is_ok_and(|panicked| panicked > 0) {
            tracing::error!("a thread of the daemon panicked");
        }
        self.engine
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .flush();
        if self.connected {
            let drained = async {
                while self.spool.status().acknowledged < self.spool.status().last {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
                tracing::info!("events are left in the spool for the next start");
            }
        }
        self.tasks.shutdown().await;
    }

    /// Ends at once, as a kill would: nothing is reported, flushed or drained.
    pub async fn abandon(mut self) {
        self.ending.kill.store(true, Ordering::Release);
        self.ending.stop.store(true, Ordering::Release);
        let _ = self.changes.send(Change::Stop);
        self.tasks.shutdown().await;
        let threads = std::mem::take(&mut self.threads);
        let _ = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| drop(thread.join()));
        })
        .await;
    }
}

/// Starts everything but the talk with the server, in order: agents are found and policies hold
/// before anybody has been reached. [`Running::connect`] does the rest.
///
/// # Errors
///
/// The spool or the last good policies cannot be read, or policies given by hand are not valid.
pub fn start(setup: Setup) -> Result<Running, Failure> {
    let Setup {
        config,
        state,
        kernel,
        signatures,
        machine,
        procfs,
    } = setup;
    let spool = Spool::open(
        &state.path("spool"),
        Limits::with_cap(config.spool_bytes_max),
    )
    .map_err(|error| Failure::caused(Exit::Io, "cannot open the spool", &error))?;
    let spool = Arc::new(spool);
    let outbox = Arc::new(Outbox::new(Arc::clone(&spool), config.print_events));
    let (roster, generations) = (
        Arc::new(Roster::default()),
        Arc::new(Generations::default()),
    );
    let (changes, changes_receiver) = channel();
    let mark = Mark::decode(spool.mark().as_deref(), &machine.boot_id);
    remove_ended(kernel.as_ref(), &mark);
    let engine = Engine::new(Parts {
        kernel: Arc::clone(&kernel),
        outbox: Arc::clone(&outbox),
        roster: Arc::clone(&roster),
        generations: Arc::clone(&generations),
        changes: changes.clone(),
        facts: HostFacts {
            machine_id: machine.machine_id.clone(),
            boot_id: machine.boot_id.clone(),
            own_pid: std::process::id(),
        },
        processes: Processes::new(procfs.clone(), &machine.passwd),
        repeat_window_ns: u64::try_from(config.repeat_window.as_nanos()).unwrap_or(u64::MAX),
        mark,
    });
    let engine = Arc::new(Mutex::new(engine));
    let (status_sender, status) = watch::channel(Status::default());
    let agent_types: Vec<String> = signatures.ids().map(str::to_owned).collect();
    let mut enforcer = Enforcer {
        kernel: Arc::clone(&kernel),
        engine: Arc::clone(&engine),
        generations: Arc::clone(&generations),
        roster: Arc::clone(&roster),
        state: Arc::clone(&state),
        status: status_sender,
        host: host_facts(&config),
        agent_types,
        set: Set::default(),
        history: History::default(),
        own: protect::policy(&config),
        canary: Canary::every(config.canary_interval),
        glass: Glass::default(),
    };
    first_policies(&mut enforcer, &config)?;
    find_running_agents(&engine, &kernel, &procfs, &signatures, &config);

    let ending = Arc::new(Ending::default());
    let metrics = Arc::new(Metrics::default());
    let threads = threads::start(threads::Work {
        kernel: Arc::clone(&kernel),
        records: Records {
            kernel: Arc::clone(&kernel),
            engine: Arc::clone(&engine),
            outbox: Arc::clone(&outbox),
            metrics: Arc::clone(&metrics),
            ending: Arc::clone(&ending),
        },
        ending: Arc::clone(&ending),
        changes: changes.clone(),
        enforcer,
        received: changes_receiver,
    });
    let uplink = config.server.clone().map(|server| Uplink {
        server,
        about: about(&config, &machine),
        state,
        kernel,
        roster,
        outbox,
        metrics,
    });
    Ok(Running {
        ending,
        changes,
        threads,
        tasks: JoinSet::new(),
        engine,
        spool,
        status,
        uplink,
        connected: false,
    })
}

/// The policies that hold before the server has been reached.
fn first_policies(enforcer: &mut Enforcer, config: &Config) -> Result<(), Failure> {
    let last_good = enforcer.recall()?;
    if config.server.is_none() {
        let set = policies::from_files(&config.policies, &enforcer.agent_types)?;
        if !enforcer.apply(&set) {
            let problems = enforcer.status.borrow().problems.join("; ");
            return Err(Failure::new(
                Exit::Data,
                format!("the policies cannot be enforced: {problems}"),
            ));
        }
        return Ok(());
    }
    if !enforcer.apply(&last_good) {
        tracing::error!(
            "the last good policies cannot be put in force; what the kernel holds stays"
        );
    }
    Ok(())
}

fn find_running_agents(
    engine: &Mutex<Engine>,
    kernel: &Arc<dyn Kernel>,
    procfs: &Procfs,
    signatures: &Signatures,
    config: &Config,
) {
    let known: HashSet<u32> = match kernel.sessions() {
        Ok(sessions) => sessions.iter().map(|session| session.root_pid).collect(),
        Err(error) => {
            tracing::warn!(%error, "agents that already run are not looked for");
            return;
        }
    };
    let scope = config.scope.as_ref().map(|path| machine::cgroup_path(path));
    let own_pid = std::process::id();
    let running = discover(procfs, signatures, scope.as_deref(), own_pid);
    // What the kernel knows already keeps its session.
    let new = running.agents.iter();
    let new = new.filter(|agent| !known.contains(&agent.pid));
    let new: Vec<RunningAgent> = new
        .map(|agent| RunningAgent {
            pid: agent.pid,
            agent_types: agent.agent_types.clone(),
            around: agent.around,
        })
        .collect();
    for (pid, error) in kernel.tag(&new) {
        tracing::error!(%error, pid, "an agent that already runs is not governed");
    }
    if let Err(error) = kernel.tag_interpreters(&running.interpreters) {
        tracing::error!(%error, "interpreters that already run are not watched");
    }
    let mut engine = engine
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    engine.adopt_sessions(&running.agents);
    // A daemon that is killed from here on has told of them.
    engine.flush();
}

/// Sessions whose end was reported by a daemon that was killed before the kernel forgot them.
fn remove_ended(kernel: &dyn Kernel, mark: &Mark) {
    for number in &mark.ended {
        if let Err(error) = kernel.remove_session(*number) {
            tracing::warn!(%error, session = number, "cannot remove an ended session");
        }
    }
}

fn host_facts(config: &Config) -> Principal {
    Principal {
        host: Fact::Known(config.hostname.clone()),
        host_labels: Fact::Known(config.labels.clone()),
        ..Principal::default()
    }
}

fn about(config: &Config, machine: &MachineFacts) -> About {
    About {
        version: crate::version::VERSION.to_owned(),
        kernel_release: machine.kernel_release.clone(),
        boot_id: machine.boot_id.clone(),
        hostname: config.hostname.clone(),
        labels: config.labels.clone(),
    }
}

/// The identity of this host: the stored one, or a new one for the token.
///
/// # Errors
///
/// The host is not enrolled and cannot be.
pub async fn identity(
    config: &Config,
    state: &StateDir,
    machine: &MachineFacts,
) -> Result<Option<Identity>, Failure> {
    let Some(server) = &config.server else {
        return Ok(None);
    };
    let stored =
        Identity::load(state).map_err(|error| Failure::new(Exit::Config, chain(&error)))?;
    if stored.is_some() {
        return Ok(stored);
    }
    let Some(token) = &config.token else {
        return Err(Failure::new(Exit::Config, "this host is not enrolled").help(
            "make a token with `tyr enrollment-token create` and start once with --token-file FILE",
        ));
    };
    let token = enroll::Token::parse(token)?;
    let machine = enroll::Machine {
        hostname: config.hostname.clone(),
        machine_id: machine.machine_id.clone(),
        labels: config.labels.clone(),
    };
    let identity = enroll::enroll(server, &token, &machine).await?;
    identity
        .store(state)
        .map_err(|error| Failure::new(Exit::Io, chain(&error)))?;
    tracing::info!(host = %identity.host_id, server, "enrolled");
    Ok(Some(identity))
}
