//! `tyr server`: keeps policies, hosts and the audit.
//!
//! [`start`] does everything that can fail before it says that the server is ready. What a server
//! knows is in PostgreSQL; several may run on one database.

pub mod authority;
pub mod config;
pub mod db;
pub mod enroll;
pub mod grpc;
pub mod ingest;
pub mod listen;
pub mod metrics;
pub mod notify;
pub mod postgres;
pub mod publish;
pub mod ready;
pub mod rest;
pub mod retention;
pub mod secret;
mod start;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use authority::{Authority, AuthorityError, ServerCertificate};
use config::{Config, ConfigError};
use db::{Database, DbError};
use ingest::Writer;
use listen::Stop;
use metrics::Metrics;
use notify::Notices;
use postgres::PostgresError;

pub use start::{Running, start};

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("the configuration is not valid")]
    Config(#[from] ConfigError),
    #[error("cannot start a private PostgreSQL")]
    Postgres(#[from] PostgresError),
    #[error("the private PostgreSQL ended; its log ends with:\n{0}")]
    PostgresEnded(String),
    #[error("cannot use the database")]
    Db(#[from] DbError),
    #[error("cannot set up the certificate authority")]
    Authority(#[from] AuthorityError),
    #[error("cannot set up TLS")]
    Tls(#[from] crate::tls::TlsError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("another server runs on {0}: give each server a data directory of its own")]
    Locked(PathBuf),
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
}

/// What every part of a running server shares.
pub struct State {
    pub config: Config,
    pub db: Database,
    pub authority: Authority,
    pub certificate: Arc<ServerCertificate>,
    pub notices: Notices,
    pub writer: Writer,
    pub metrics: Arc<Metrics>,
    pub stop: Stop,
}

/// Runs a server until SIGTERM or SIGINT.
///
/// Prints where it listens and, on the first start, the administrator's token.
///
/// # Errors
///
/// It does not start, or its private PostgreSQL ends.
pub async fn run(config: Config) -> Result<(), ServerError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signal)?;
    let starting = start(config);
    let mut running = tokio::select! {
        running = starting => running?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    running.announce();
    ready::notify("READY=1");
    let outcome = tokio::select! {
        log = running.database_ended() => Err(ServerError::PostgresEnded(log)),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    ready::notify("STOPPING=1");
    tracing::info!("stopping");
    // A second signal ends the waiting, not the database.
    running
        .stop(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    outcome
}

/// How long open requests may go on once the server stops.
fn grace(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.shutdown_grace_s))
}
