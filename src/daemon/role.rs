//! `tyr daemon` as a process: settings, the real kernel, signals.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::kernel::memory;
use crate::log;
use crate::policy::signatures::Signatures;
use crate::process::Process;

use super::config::{Args, Config};
use super::kernel::Kernel;
use super::kernel::live::Live;
use super::link::Backoff;
use super::notify::Notifier;
use super::procfs::Procfs;
use super::run::{self, MachineFacts, Setup};
use super::state::StateDir;

const WORKERS: usize = 2;
/// How often memory that was freed is given back.
const MEMORY_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
///
/// It cannot start; what was enforced before still is.
pub fn run(process: &mut Process, args: &Args) -> Result<Exit, Failure> {
    let machine = MachineFacts::read()?;
    let config = Config::resolve(args, &machine.hostname)?;
    let signatures = signatures(&config)?;
    if config.release {
        return release(process, &config, signatures);
    }
    log::start(config.log_format, &config.log_filter);
    for refused in crate::kernel::harden::harden_process() {
        tracing::warn!(refused, "the daemon is less protected");
    }
    memory::keep_little();
    let state = Arc::new(StateDir::lock(&config.state_dir)?);
    let notifier =
        Notifier::from_environment(process.var("NOTIFY_SOCKET"), process.var("WATCHDOG_USEC"));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Os, "cannot start the runtime", &error))?
        .block_on(serve(config, state, signatures, machine, &notifier))
}

async fn serve(
    config: Config,
    state: Arc<StateDir>,
    signatures: Signatures,
    machine: MachineFacts,
    notifier: &Notifier,
) -> Result<Exit, Failure> {
    let no_signals =
        |error: std::io::Error| Failure::caused(Exit::Os, "cannot wait for signals", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let kernel = Live::load(
        signatures.clone(),
        config.scope.as_deref(),
        config.unmatched_events,
    )
    .map_err(|error| Failure::caused(Exit::Os, "cannot use the kernel", &error))?
    .proved_every(config.canary_interval);
    tracing::info!(
        enforcement = ?kernel.enforcement(),
        adopted = kernel.adopted(),
        limits = ?kernel.limits(),
        "kernel programs"
    );
    let setup = Setup {
        config: config.clone(),
        state: Arc::clone(&state),
        kernel: Arc::new(kernel),
        signatures,
        machine: machine.clone(),
        procfs: Procfs::default(),
    };
    let mut running = run::start(setup)?;
    notifier.send("READY=1");
    tracing::info!(server = config.server, "the daemon is ready");
    let mut freed = tokio::time::interval(MEMORY_INTERVAL);
    let mut watchdog = notifier.watchdog_interval().map(tokio::time::interval);
    let mut enrolling = std::pin::pin!(identity(&config, &state, &machine));
    let mut enrolled = false;
    loop {
        tokio::select! {
            outcome = &mut enrolling, if !enrolled => match outcome {
                Ok(identity) => {
                    enrolled = true;
                    identity.into_iter().for_each(|identity| running.connect(identity));
                }
                Err(failure) => {
                    running.stop().await;
                    return Err(failure);
                }
            },
            () = tick(&mut watchdog) => if running.is_alive() {
                notifier.send("WATCHDOG=1");
            },
            _ = freed.tick() => memory::give_back(),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    notifier.send("STOPPING=1");
    tracing::info!("stopping; enforcement stays on");
    running.stop().await;
    Ok(Exit::Ok)
}

/// The next time that systemd wants to hear of a living daemon; never when it does not ask.
async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// The identity of this host. A server that is away is waited for; one that refuses ends the
/// daemon, because waiting mends nothing.
async fn identity(
    config: &Config,
    state: &StateDir,
    machine: &MachineFacts,
) -> Result<Option<super::identity::Identity>, Failure> {
    let mut backoff = Backoff::default();
    loop {
        match run::identity(config, state, machine).await {
            Err(failure) if failure.exit == Exit::Unavailable => {
                let delay = backoff.delay();
                tracing::warn!(
                    error = failure.message,
                    delay_ms = delay.as_millis() as u64,
                    "not enrolled yet"
                );
                tokio::time::sleep(delay.max(Duration::from_millis(100))).await;
            }
            outcome => return outcome,
        }
    }
}

/// Takes enforcement off. The state folder's lock keeps a daemon that runs from losing its
/// programs under its feet.
fn release(
    process: &mut Process,
    config: &Config,
    signatures: Signatures,
) -> Result<Exit, Failure> {
    let _state = StateDir::lock(&config.state_dir)?;
    let failed = |error: super::kernel::KernelError| {
        Failure::caused(Exit::Os, "cannot take enforcement off", &error)
    };
    if !std::path::Path::new(crate::kernel::pins::DEFAULT_DIR).exists() {
        tell(process, "nothing is enforced on this host");
        return Ok(Exit::Ok);
    }
    let kernel = Live::load(signatures, None, true).map_err(failed)?;
    kernel.release().map_err(failed)?;
    tell(
        process,
        "enforcement is off: agents on this host are not governed until the daemon starts again",
    );
    Ok(Exit::Ok)
}

fn tell(process: &mut Process, text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(process.stderr, "{text}");
}

fn signatures(config: &Config) -> Result<Signatures, Failure> {
    let mut files = Vec::new();
    for path in &config.signatures {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::caused(
                Exit::NoInput,
                format!("cannot read {}", path.display()),
                &error,
            )
        })?;
        files.push((path.display().to_string(), text));
    }
    Signatures::with_files(&files).map_err(|error| Failure::new(Exit::Data, error.to_string()))
}
