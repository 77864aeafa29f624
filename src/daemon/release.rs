//! Taking enforcement off this host in good order: by the daemon that runs, or in its place.
//!
//! A daemon that runs is asked over a socket in its state folder, so that the last event says so
//! and reaches the server. No process of an agent is obeyed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::exit::{Exit, Failure, chain};
use crate::kernel::pins;
use crate::model::event::{Body, Event, Process as Actor};
use crate::policy::signatures::Signatures;

use super::config::Config;
use super::identity::Identity;
use super::kernel::live::Live;
use super::kernel::{Kernel, KernelError};
use super::mark::Mark;
use super::outbox::Outbox;
use super::run::MachineFacts;
use super::spool::{Limits, Spool};
use super::state::StateDir;

const SOCKET: &str = "control.sock";
const REQUEST: &[u8; 8] = b"release\n";
const DONE: &str = "released";
/// How long a client may take to say what it wants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the daemon may take to say its last events, and the kernel to detach the programs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// Where a running daemon is asked.
pub struct Control {
    listener: Option<UnixListener>,
}

/// Somebody who may ask, and waits for the answer.
pub struct Asker {
    stream: UnixStream,
    pub uid: u32,
    pub pid: i32,
}

impl Control {
    /// A daemon that cannot be asked works all the same: it has to be stopped first then.
    pub fn open(state: &StateDir) -> Control {
        let path = state.path(SOCKET);
        // Of a daemon that was killed: the folder is locked, so no other uses it.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)
            .inspect_err(|error| {
                tracing::warn!(%error, path = %path.display(), "the daemon cannot be asked to release");
            })
            .ok();
        Control { listener }
    }

    /// Waits for somebody who asks to release and may.
    pub async fn release_asked(&self, kernel: &Live) -> Asker {
        let Some(listener) = &self.listener else {
            return std::future::pending().await;
        };
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(REQUEST_TIMEOUT).await;
                continue;
            };
            match admit(stream, kernel).await {
                Ok(asker) => return asker,
                Err(reason) => tracing::warn!(reason, "a request to release was refused"),
            }
        }
    }
}

async fn admit(mut stream: UnixStream, kernel: &Live) -> Result<Asker, String> {
    let mut request = [0; REQUEST.len()];
    let read = tokio::time::timeout(REQUEST_TIMEOUT, stream.read_exact(&mut request)).await;
    if !matches!(read, Ok(Ok(_))) || request != *REQUEST {
        return Err("it says nothing that is known".to_owned());
    }
    let refused = match may_ask(&stream, kernel) {
        Ok((uid, pid)) => return Ok(Asker { stream, uid, pid }),
        Err(reason) => reason,
    };
    // Whoever is refused may have gone away.
    let _ = stream.write_all(format!("{refused}\n").as_bytes()).await;
    Err(refused)
}

fn may_ask(stream: &UnixStream, kernel: &Live) -> Result<(u32, i32), String> {
    let who = stream
        .peer_cred()
        .map_err(|error| format!("nobody knows who asks: {error}"))?;
    let Some(pid) = who.pid() else {
        return Err("nobody knows which process asks".to_owned());
    };
    if who.uid() != 0 {
        return Err(format!("user {} may not release", who.uid()));
    }
    refuse_governed(kernel, pid)?;
    Ok((who.uid(), pid))
}

/// Refuses a process of an agent, and one of which that cannot be told.
fn refuse_governed(kernel: &Live, pid: i32) -> Result<(), String> {
    match kernel.is_governed(pid.unsigned_abs()) {
        Ok(false) => Ok(()),
        Ok(true) => Err("a process of an agent may not release".to_owned()),
        Err(error) => Err(format!("it cannot be told whether an agent asks: {error}")),
    }
}

impl Asker {
    /// What the audit says before it is done.
    pub fn body(&self) -> Body {
        body(self.uid, self.pid.unsigned_abs())
    }

    pub async fn answer(mut self, outcome: &Result<(), KernelError>) {
        let line = match outcome {
            Ok(()) => DONE.to_owned(),
            Err(error) => error.to_string(),
        };
        // The outcome stands, whether or not somebody still listens.
        let _ = self.stream.write_all(format!("{line}\n").as_bytes()).await;
    }
}

fn body(uid: u32, pid: u32) -> Body {
    Body::Alarm {
        message: format!(
            "enforcement is taken off this host by `tyr daemon --release` (user {uid}, process {pid})"
        ),
    }
}

/// Takes enforcement off a kernel that nobody else uses any more.
pub fn take_off(kernel: Arc<Live>, signatures: Signatures) -> Result<(), KernelError> {
    match Arc::into_inner(kernel) {
        Some(kernel) => kernel.release(),
        // A thread that has not ended yet holds it: what it left pinned is adopted and taken off.
        None => Live::load(signatures, None, true)?.release(),
    }
}

/// `tyr daemon --release`: what to tell the person who asked.
///
/// # Errors
///
/// Enforcement is still on, at least in part.
pub fn run(config: &Config, signatures: Signatures) -> Result<&'static str, Failure> {
    const OFF: &str =
        "enforcement is off: agents on this host are not governed until the daemon starts again";
    let state = match StateDir::lock(&config.state_dir) {
        Ok(state) => state,
        Err(failure) if failure.exit == Exit::Unavailable => {
            ask(&config.state_dir.join(SOCKET))?;
            return Ok(OFF);
        }
        Err(failure) => return Err(failure),
    };
    if !Path::new(pins::DEFAULT_DIR).exists() {
        return Ok("nothing is enforced on this host");
    }
    let failed =
        |error: KernelError| Failure::caused(Exit::Os, "cannot take enforcement off", &error);
    let kernel = Live::load(signatures, None, true).map_err(failed)?;
    let own_pid = std::process::id();
    refuse_governed(&kernel, i32::try_from(own_pid).unwrap_or(0))
        .map_err(|reason| Failure::new(Exit::NoPermission, reason))?;
    record(config, &state, &kernel, own_pid)?;
    kernel.release().map_err(failed)?;
    Ok(OFF)
}

/// Asks the daemon that runs.
fn ask(socket: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::caused(
            Exit::Unavailable,
            "a daemon runs and cannot be asked",
            &error,
        )
        .help("stop it, then release again")
    };
    let mut stream = BlockingStream::connect(socket).map_err(failed)?;
    stream
        .set_read_timeout(Some(ANSWER_TIMEOUT))
        .map_err(failed)?;
    stream.write_all(REQUEST).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .map_err(failed)?;
    match line.trim_end() {
        DONE => Ok(()),
        "" => Err(
            Failure::new(Exit::Unavailable, "the daemon ended without an answer")
                .help("release again"),
        ),
        reason => Err(Failure::new(Exit::NoPermission, reason)),
    }
}

/// Leaves the event in the spool of a host that is enrolled, for the daemon that starts next.
fn record(config: &Config, state: &StateDir, kernel: &Live, pid: u32) -> Result<(), Failure> {
    let identity =
        Identity::load(state).map_err(|error| Failure::new(Exit::Config, chain(&error)))?;
    if identity.is_none() {
        return Ok(());
    }
    let failed = |error: &dyn std::error::Error| {
        Failure::caused(Exit::Io, "cannot note the release in the spool", error)
    };
    let limits = Limits::with_cap(config.spool_bytes_max);
    let spool = Spool::open(&state.path("spool"), limits).map_err(|error| failed(&error))?;
    let boot_id = MachineFacts::read()?.boot_id;
    let mark = Mark::decode(spool.mark().as_deref(), &boot_id).encode();
    let outbox = Outbox::new(Arc::new(spool), config.print_events);
    outbox.put(&Event {
        time_ns: jiff::Timestamp::now()
            .as_nanosecond()
            .try_into()
            .unwrap_or(i64::MAX),
        boot_ns: kernel.boot_ns(),
        process: Actor::default(),
        agent: None,
        body: body(0, pid),
    });
    outbox.commit(&mark).map_err(|error| failed(&error))
}
