//! A PostgreSQL of the server's own, for when no DATABASE_URL is given: one command, a real
//! database. It listens on a unix socket in the data directory and nowhere else.

mod account;
mod binaries;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use account::Account;
use binaries::Binaries;

/// How long initialisation, a start with crash recovery, or a stop may take.
const START_MAX: Duration = Duration::from_secs(120);
const STOP_MAX_S: &str = "60";
const POLL: Duration = Duration::from_millis(50);
/// Of `sockaddr_un`, less the name of the socket.
const SOCKET_FOLDER_BYTES_MAX: usize = 107 - "/.s.PGSQL.5432".len();
const LOG_TAIL_BYTES: usize = 2_000;
const CONNECTIONS_MAX: u32 = 100;

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "no PostgreSQL is installed: install Debian's package `postgresql`, \
         or set DATABASE_URL to a database that is running"
    )]
    NotInstalled,
    #[error("PostgreSQL {found} in {folder} is not supported: install 14 or newer")]
    TooOld { found: u32, folder: PathBuf },
    #[error(
        "the data in {folder} was made by PostgreSQL {wanted}, which is not installed: \
         install Debian's package `postgresql-{wanted}`"
    )]
    OtherVersion { wanted: u32, folder: PathBuf },
    #[error(
        "PostgreSQL refuses to run as root and there is no user `tyr` or `postgres`: \
         make one, or start the server as another user"
    )]
    NoAccount,
    #[error("the path {0} is too long for a unix socket: choose a shorter data directory")]
    PathTooLong(PathBuf),
    #[error(
        "user {user} cannot enter {folder}, so PostgreSQL cannot reach its data: \
         give the folder search permission, or choose another data directory"
    )]
    Unreachable { user: String, folder: PathBuf },
    #[error("cannot {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{program} failed:\n{output}")]
    Failed {
        program: &'static str,
        output: String,
    },
    #[error("PostgreSQL did not start within {0:?}; its log ends with:\n{1}")]
    Slow(Duration, String),
}

/// A PostgreSQL that this process started.
pub struct PrivatePostgres {
    binaries: Binaries,
    account: Account,
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    child: Child,
}

impl PrivatePostgres {
    /// Starts PostgreSQL on `data_dir/postgres`, which is initialised when it is new. One that was
    /// left running there by a server that was killed is stopped first; the caller holds the lock
    /// that keeps two living servers off one data directory.
    ///
    /// # Errors
    ///
    /// PostgreSQL is missing or too old, or does not start; see [`PostgresError`].
    pub async fn start(data_dir: &Path) -> Result<PrivatePostgres, PostgresError> {
        let data = data_dir.join("postgres");
        let sockets = data_dir.join("run");
        if sockets.as_os_str().len() > SOCKET_FOLDER_BYTES_MAX {
            return Err(PostgresError::PathTooLong(sockets));
        }
        let binaries = Binaries::find(&data)?;
        let account = Account::choose(&data)?;
        account.reaches(data_dir)?;
        make_folder(&sockets, &account)?;
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, &account, &data).await?;
        }
        let log = data_dir.join("postgres.log");
        stop_stale(&binaries, &account, &data).await?;
        let child = spawn(&binaries, &account, &data, &sockets, &log)?;
        let mut postgres = PrivatePostgres {
            binaries,
            account,
            data,
            sockets,
            log,
            child,
        };
        if let Err(error) = postgres.make_ready().await {
            postgres.stop().await;
            return Err(error);
        }
        Ok(postgres)
    }

    /// Where the server's database is, in the form of `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.url_of("tyr")
    }

    /// The same for another database.
    pub fn url_of(&self, database: &str) -> String {
        let folder = self.sockets.display();
        format!("host='{folder}' user=tyr dbname={database}")
    }

    /// Returns when PostgreSQL has ended by itself, with the end of its log.
    pub async fn ended(&mut self) -> String {
        // Whatever its status, it should not have ended.
        let _ = self.child.wait().await;
        tail(&self.log)
    }

    /// Stops PostgreSQL: open transactions are rolled back, everything else is on disk.
    pub async fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let mut command = self.account.command(&self.binaries.program("pg_ctl"));
        command
            .arg("stop")
            .arg("-D")
            .arg(&self.data)
            .args(["-m", "fast", "-w", "-t", STOP_MAX_S]);
        if let Err(error) = run(command, "pg_ctl").await {
            tracing::warn!(error = %error, "PostgreSQL did not stop, ending it");
            let _ = self.child.start_kill();
        }
        let _ = self.child.wait().await;
    }

    /// Waits until connections are taken, and makes the server's database once.
    async fn make_ready(&mut self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Ok(Some(_)) = self.child.try_wait() {
                let output = tail(&self.log);
                return Err(PostgresError::Failed {
                    program: "postgres",
                    output,
                });
            }
            match self.make_database().await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    let shown = format!("{error}\n{}", tail(&self.log));
                    return Err(PostgresError::Slow(START_MAX, shown));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn make_database(&self) -> Result<(), tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&self.url_of("postgres"), tokio_postgres::NoTls).await?;
        let driver = tokio::spawn(connection);
        let found = client
            .query("SELECT FROM pg_database WHERE datname = 'tyr'", &[])
            .await;
        let made = match found {
            Ok(rows) if rows.is_empty() => client.batch_execute("CREATE DATABASE tyr").await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        drop(client);
        driver.abort();
        made
    }
}

fn make_folder(path: &Path, account: &Account) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::Io {
        what: "make",
        path: path.to_owned(),
        source,
    };
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    account.own(path).map_err(failed)
}

async fn initialise(
    binaries: &Binaries,
    account: &Account,
    data: &Path,
) -> Result<(), PostgresError> {
    // Made under another name, so that one which was cut short is never taken for a database.
    let fresh = data.with_extension("new");
    let failed = |what| {
        let path = fresh.clone();
        move |source| PostgresError::Io { what, path, source }
    };
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(failed("remove"))?;
    }
    make_folder(&fresh, account)?;
    tracing::info!(folder = %data.display(), "initialising a private PostgreSQL");
    let mut command = account.command(&binaries.program("initdb"));
    command.arg("-D").arg(&fresh).args([
        "-U",
        "tyr",
        // Only those who may enter the socket's folder, mode 0700, can connect at all.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
    ]);
    run(command, "initdb").await?;
    fs::rename(&fresh, data).map_err(failed("rename"))
}

/// Stops a PostgreSQL that still runs on `data`. A pid file that no process stands behind is no
/// harm: PostgreSQL itself finds that out.
async fn stop_stale(
    binaries: &Binaries,
    account: &Account,
    data: &Path,
) -> Result<(), PostgresError> {
    let mut status = account.command(&binaries.program("pg_ctl"));
    status.arg("status").arg("-D").arg(data);
    if run(status, "pg_ctl").await.is_err() {
        return Ok(());
    }
    tracing::warn!("a private PostgreSQL was left running, restarting it");
    let mut stop = account.command(&binaries.program("pg_ctl"));
    stop.arg("stop")
        .arg("-D")
        .arg(data)
        .args(["-m", "fast", "-w", "-t", STOP_MAX_S]);
    run(stop, "pg_ctl").await
}

fn spawn(
    binaries: &Binaries,
    account: &Account,
    data: &Path,
    sockets: &Path,
    log: &Path,
) -> Result<Child, PostgresError> {
    let failed = |source| PostgresError::Io {
        what: "write",
        path: log.to_owned(),
        source,
    };
    let output = fs::File::create(log).map_err(failed)?;
    let errors = output.try_clone().map_err(failed)?;
    let folders = sockets
        .display()
        .to_string()
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    let program = binaries.program("postgres");
    let mut command = account.command(&program);
    command
        .arg("-D")
        .arg(data)
        .args(["-c", "listen_addresses="])
        .args(["-c", &format!("unix_socket_directories=\"{folders}\"")])
        .args(["-c", "unix_socket_permissions=0700"])
        .args(["-c", &format!("max_connections={CONNECTIONS_MAX}")])
        .args([
            "-c",
            "max_wal_size=4GB",
            // No query here runs long enough for it, and the unit forbids to make code.
            "-c",
            "jit=off",
            "-c",
            "logging_collector=off",
            "-c",
            "port=5432",
        ])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // A Ctrl-C in the terminal is for the server, which then stops PostgreSQL in order.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().map_err(|source| PostgresError::Io {
        what: "run",
        path: program,
        source,
    })
}

/// Runs a program to its end; a failure carries what it printed.
async fn run(mut command: Command, program: &'static str) -> Result<(), PostgresError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let failed = |output: String| PostgresError::Failed { program, output };
    let output = tokio::time::timeout(START_MAX, command.output())
        .await
        .map_err(|_| failed(format!("it took longer than {START_MAX:?}")))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(failed(text.trim().to_owned()))
}

fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(LOG_TAIL_BYTES);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}
