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
use super::release::{self, Asker, Control};
use super::run::{self, MachineFacts, Running, Setup};
use super::state::StateDir;

const WORKERS: usize = 2;
/// How often memory that was freed is given back.
const MEMORY_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the daemon until SIGTERM or SIGINT, or until somebody releases this host.
///
/// # Errors
///
/// It cannot start; what was enforced before still is.
pub fn run(process: &mut Process, args: &Args) -> Result<Exit, Failure> {
    let machine = MachineFacts::read()?;
    let mut config = Config::resolve(args, &machine.hostname)?;
    if config.token.is_none() {
        config.token = process.var("TYR_ENROLL_TOKEN").map(str::to_owned);
    }
    let signatures = signatures(&config)?;
    if config.release {
        let said = release::run(&config, signatures)?;
        tell(process, said);
        return Ok(Exit::Ok);
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
    let kernel = Arc::new(kernel);
    let setup = Setup {
        config: config.clone(),
        state: Arc::clone(&state),
        kernel: Arc::clone(&kernel) as Arc<dyn Kernel>,
        signatures: signatures.clone(),
        machine: machine.clone(),
        procfs: Procfs::default(),
    };
    let mut running = run::start(setup)?;
    let control = Control::open(&state);
    notifier.send("READY=1");
    tracing::info!(server = config.server, "the daemon is ready");
    let setting = (&config, &*state, &machine);
    let ended = {
        let asked = control.release_asked(&kernel);
        let signals = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serving(&mut running, setting, notifier, asked, signals).await
    };
    notifier.send("STOPPING=1");
    let asker = match ended {
        Ok(Some(asker)) => asker,
        Ok(None) => {
            tracing::info!("stopping; enforcement stays on");
            running.stop().await;
            return Ok(Exit::Ok);
        }
        Err(failure) => {
            running.stop().await;
            return Err(failure);
        }
    };
    tracing::warn!(
        uid = asker.uid,
        pid = asker.pid,
        "stopping; enforcement is taken off"
    );
    running.tell(asker.body());
    running.stop().await;
    let outcome = release::take_off(kernel, signatures);
    asker.answer(&outcome).await;
    outcome
        .map(|()| Exit::Released)
        .map_err(|error| Failure::caused(Exit::Os, "cannot take enforcement off", &error))
}

/// Works until a signal (`None`) or somebody who asks to release.
async fn serving(
    running: &mut Running,
    (config, state, machine): (&Config, &StateDir, &MachineFacts),
    notifier: &Notifier,
    asked: impl Future<Output = Asker>,
    signals: impl Future<Output = ()>,
) -> Result<Option<Asker>, Failure> {
    let mut watchdog = notifier.watchdog_interval().map(tokio::time::interval);
    let mut freed = tokio::time::interval(MEMORY_INTERVAL);
    let mut enrolling = std::pin::pin!(identity(config, state, machine));
    let (mut asked, mut signals) = (std::pin::pin!(asked), std::pin::pin!(signals));
    let mut enrolled = false;
    loop {
        tokio::select! {
            outcome = &mut enrolling, if !enrolled => {
                enrolled = true;
                outcome?.into_iter().for_each(|identity| running.connect(identity));
            }
            () = tick(&mut watchdog) => if running.is_alive() {
                notifier.send("WATCHDOG=1");
            },
            _ = freed.tick() => memory::give_back(),
            asker = &mut asked => return Ok(Some(asker)),
            () = &mut signals => return Ok(None),
        }
    }
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
