//! Bringing a server up, part by part, and down in the opposite order.

use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::authority::{Authority, SERVER_LIFETIME, SealKey, ServerCertificate};
use super::config::Config;
use super::db::{Database, PoolOptions};
use super::metrics::Metrics;
use super::postgres::PrivatePostgres;
use crate::exit::chain;
use crate::policy::builtin;

use super::{ServerError, State, grace, grpc, ingest, notify, publish, rest, retention, secret};

/// A server that is ready.
pub struct Running {
    /// Addresses that are really bound, also when port 0 was asked for.
    pub grpc: SocketAddr,
    pub rest: SocketAddr,
    /// The administrator's token, on the first start only.
    pub admin_token: Option<String>,
    pub state: Arc<State>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
    background: Vec<JoinHandle<()>>,
    postgres: Option<PrivatePostgres>,
    /// Held for as long as the private PostgreSQL is ours.
    _lock: Option<File>,
}

/// Starts everything; the server is ready when this returns.
///
/// # Errors
///
/// Any part fails. What was started by then is stopped again.
pub async fn start(config: Config) -> Result<Running, ServerError> {
    config.check()?;
    make_folder(&config.data_dir)?;
    let (lock, mut postgres) = match config.database_url {
        Some(_) => (None, None),
        None => {
            let lock = lock(&config.data_dir)?;
            (
                Some(lock),
                Some(PrivatePostgres::start(&config.data_dir).await?),
            )
        }
    };
    match start_on(config, postgres.as_ref()).await {
        Ok(mut running) => {
            running.postgres = postgres;
            running._lock = lock;
            Ok(running)
        }
        Err(error) => {
            if let Some(postgres) = &mut postgres {
                postgres.stop().await;
            }
            Err(error)
        }
    }
}

async fn start_on(
    config: Config,
    postgres: Option<&PrivatePostgres>,
) -> Result<Running, ServerError> {
    // Bound first: a port that is taken is the most common mistake.
    let grpc_listener = bind(config.grpc_listen).await?;
    let rest_listener = bind(config.rest_listen).await?;
    let url = postgres
        .map(PrivatePostgres::url)
        .or_else(|| config.database_url.clone());
    let db = Database::open(&PoolOptions {
        url: url.unwrap_or_default(),
        ca_file: config.database_ca_file.clone(),
        connections_max: config.database_connections_max,
    })
    .await?;
    let seal = config
        .ca_seal_key_file
        .as_deref()
        .map(read_seal)
        .transpose()?;
    publish::seed(&db, &builtin::ALL).await?;
    let authority = Authority::load(&db, seal.as_ref()).await?;
    let names = config.all_names();
    let certificate = Arc::new(ServerCertificate::new(
        authority.server_certificate(&names)?,
    ));
    write_file(&config.data_dir.join("ca.pem"), authority.pem(), 0o644)?;
    let admin_token = first_token(&db, &config.data_dir).await?;
    let retention = retention::start(db.clone(), config.events_keep_days).await?;
    let (notices, listening) = notify::start(db.clone()).await?;
    let metrics = Arc::new(Metrics::default());
    let (writer, _) = ingest::start(db.clone(), Arc::clone(&metrics));
    let (stop, stopping) = watch::channel(false);
    let state = Arc::new(State {
        config,
        db,
        authority,
        certificate,
        notices,
        writer,
        metrics,
        stop: stopping,
    });
    let (grpc, rest) = (local(&grpc_listener)?, local(&rest_listener)?);
    let serving = vec![
        grpc::start(&state, grpc_listener)?,
        rest::start(&state, rest_listener)?,
    ];
    let renewing = tokio::spawn(renew_certificate(Arc::clone(&state), names));
    let background = vec![retention, listening, renewing];
    Ok(Running {
        grpc,
        rest,
        admin_token,
        state,
        stop,
        serving,
        background,
        postgres: None,
        _lock: None,
    })
}

/// How a person gets the first administrator's token.
fn show_token(token: &str, file: &Path, is_kept: bool) -> String {
    let file = file.display();
    if is_kept {
        return format!("Administrator's token: in {file}, and not here, where it would be kept");
    }
    format!("Administrator's token, shown only this once:\n\n  {token}\n\nIt is also in {file}")
}

impl Running {
    /// Prints what a person needs to go on.
    pub fn announce(&self) {
        let state = &self.state;
        println!("Tyr server {} is ready", crate::version::VERSION);
        println!("  hosts (gRPC)  {}", self.grpc);
        println!("  REST          https://{}", self.rest);
        println!("  CA            {}", self.folder().join("ca.pem").display());
        println!("  fingerprint   {}", state.authority.fingerprint().to_hex());
        if let Some(token) = &self.admin_token {
            // systemd sets it where the output is the journal, which is kept and read by others.
            let is_kept = std::env::var_os("JOURNAL_STREAM").is_some();
            let file = self.folder().join("admin-token");
            println!("\n{}", show_token(token, &file, is_kept));
        }
    }

    fn folder(&self) -> &Path {
        &self.state.config.data_dir
    }

    /// Returns when the private PostgreSQL has ended by itself, with the end of its log. Never,
    /// when there is none.
    pub async fn database_ended(&mut self) -> String {
        match &mut self.postgres {
            Some(postgres) => postgres.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Stops: takes nothing new, lets open requests end within the configured grace or until
    /// `hurry`, then stops the private PostgreSQL.
    pub async fn stop(mut self, hurry: impl Future<Output = ()>) {
        // It fails only when no one listens any more.
        let _ = self.stop.send(true);
        let grace = grace(&self.state.config);
        let mut serving = std::mem::take(&mut self.serving);
        let drained = async {
            for task in &mut serving {
                let _ = task.await;
            }
        };
        tokio::select! {
            () = drained => {}
            () = tokio::time::sleep(grace) => {
                tracing::warn!(grace_s = grace.as_secs(), "open requests did not end in time");
            }
            () = hurry => {}
        }
        for task in serving.iter().chain(&self.background) {
            task.abort();
        }
        self.state.db.close();
        if let Some(postgres) = &mut self.postgres {
            postgres.stop().await;
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServerError::Listen { address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, ServerError> {
    let address = SocketAddr::from(([0, 0, 0, 0], 0));
    listener
        .local_addr()
        .map_err(|source| ServerError::Listen { address, source })
}

async fn renew_certificate(state: Arc<State>, names: Vec<String>) {
    loop {
        tokio::time::sleep(SERVER_LIFETIME / 2).await;
        match state.authority.server_certificate(&names) {
            Ok(key) => state.certificate.replace(key),
            Err(error) => {
                tracing::error!(error = %chain(&error), "cannot renew the server's certificate");
            }
        }
    }
}

fn make_folder(path: &Path) -> Result<(), ServerError> {
    // Others may pass through to PostgreSQL's folder, which its own user owns, but see nothing.
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(path);
    made.map_err(|source| ServerError::Io {
        what: "make",
        path: path.to_owned(),
        source,
    })
}

fn lock(folder: &Path) -> Result<File, ServerError> {
    let path = folder.join("lock");
    let failed = |source| ServerError::Io {
        what: "open",
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(ServerError::Locked(folder.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn read_seal(path: &Path) -> Result<SealKey, ServerError> {
    let failed = |source| ServerError::Io {
        what: "read",
        path: path.to_owned(),
        source,
    };
    Ok(SealKey::from_hex(
        &fs::read_to_string(path).map_err(failed)?,
    )?)
}

/// Makes the first administrator's token. The file is written before the database knows of the
/// token, and gets its name after, so that a crash in between loses no credential.
async fn first_token(db: &Database, folder: &Path) -> Result<Option<String>, ServerError> {
    let (fresh, path) = (folder.join("admin-token.new"), folder.join("admin-token"));
    let renamed = |source| ServerError::Io {
        what: "rename",
        path: fresh.clone(),
        source,
    };
    if let Ok(left) = fs::read_to_string(&fresh) {
        let known = db.authenticate(&secret::api_sha256(left.trim())).await?;
        if known.is_some() {
            fs::rename(&fresh, &path).map_err(renamed)?;
            return Ok(Some(left.trim().to_owned()));
        }
    }
    let token = secret::api_token()?;
    write_file(&fresh, &format!("{}\n", token.shown), 0o600)?;
    if db.create_first_token(&token.sha256).await? {
        fs::rename(&fresh, &path).map_err(renamed)?;
        return Ok(Some(token.shown));
    }
    fs::remove_file(&fresh).map_err(|source| ServerError::Io {
        what: "remove",
        path: fresh.clone(),
        source,
    })?;
    Ok(None)
}

fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), ServerError> {
    let write = || -> io::Result<()> {
        // A file that is there may have another mode.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let path = || PathBuf::from(path);
    write().map_err(|source| ServerError::Io {
        what: "write",
        path: path(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::{Path, show_token};

    #[test]
    fn the_token_is_not_left_where_output_is_kept() {
        let file = Path::new("/data/admin-token");
        let shown = show_token("tyr_secret", file, false);
        assert!(shown.contains("tyr_secret"), "{shown}");
        let kept = show_token("tyr_secret", file, true);
        assert!(!kept.contains("tyr_secret"), "{kept}");
        assert!(kept.contains("/data/admin-token"), "{kept}");
    }
}
