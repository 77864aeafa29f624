//! Where the daemon's settings come from: defaults, then a file, then options.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use crate::exit::{Exit, Failure};
use crate::log::Format;

/// Govern AI agents on this host.
///
/// Loads the kernel programs, puts the last good policy in force, then speaks with the server.
/// Enforcement goes on when the daemon ends; --release takes it off.
#[derive(ArgsInfo, FromArgs, Debug, Default)]
#[argh(subcommand, name = "daemon")]
pub struct Args {
    /// configuration file; default /etc/tyr/daemon.yaml when it is there
    #[argh(option, arg_name = "file")]
    config: Option<PathBuf>,
    /// address of the server's gRPC side, HOST:PORT
    #[argh(option, arg_name = "host:port")]
    server: Option<String>,
    /// enrolment token; prefer --token-file
    #[argh(option, arg_name = "token")]
    enroll: Option<String>,
    /// file with the enrolment token
    #[argh(option, arg_name = "file")]
    token_file: Option<PathBuf>,
    /// folder for key, policy and spool; default /var/lib/tyr
    #[argh(option, arg_name = "folder")]
    state_dir: Option<PathBuf>,
    /// govern only a part of the machine: cgroup:PATH
    #[argh(option, arg_name = "cgroup:path")]
    scope: Option<String>,
    /// a label of this host, KEY=VALUE; may be given several times
    #[argh(option, arg_name = "key=value")]
    label: Vec<String>,
    /// policy file to enforce without a server; may be given several times
    #[argh(option, arg_name = "file")]
    policy: Vec<PathBuf>,
    /// file with signatures of your own agents; may be given several times
    #[argh(option, arg_name = "file")]
    signatures: Vec<PathBuf>,
    /// capture TLS (not built yet: refused)
    #[argh(switch)]
    tls_capture: bool,
    /// take enforcement off this host and end
    #[argh(switch)]
    release: bool,
    /// log for a person at a terminal, also debug messages
    #[argh(switch)]
    foreground: bool,
    /// print every event to standard output, one JSON object a line
    #[argh(switch)]
    print_events: bool,
}

/// Everything the daemon needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// `HOST:PORT`; `None`: no server.
    pub server: Option<String>,
    pub token: Option<String>,
    pub state_dir: PathBuf,
    pub hostname: String,
    pub labels: BTreeMap<String, String>,
    /// Folder of the cgroup that is governed; `None`: the whole machine.
    pub scope: Option<PathBuf>,
    /// Policies of a daemon without a server.
    pub policies: Vec<PathBuf>,
    pub signatures: Vec<PathBuf>,
    /// Files with settings or secrets that were read.
    pub files: Vec<PathBuf>,
    pub release: bool,
    pub print_events: bool,
    pub log_format: Format,
    pub log_filter: String,
    pub spool_bytes_max: u64,
    pub repeat_window: Duration,
    /// Whether operations that no rule matches leave events.
    pub unmatched_events: bool,
    /// How often enforcement is proved again.
    pub canary_interval: Duration,
}

/// Read when no --config is given and it is there.
const DEFAULT_FILE: &str = "/etc/tyr/daemon.yaml";
const STATE_DIR: &str = "/var/lib/tyr";
const SPOOL_BYTES_MIN: u64 = 1 << 20;
const SPOOL_BYTES_MAX: u64 = 512 << 20;
const REPEAT_WINDOW_MS: u64 = 1_000;
const CANARY_INTERVAL_MS: u64 = 5_000;
const CANARY_INTERVAL_MS_MIN: u64 = 100;
const CANARY_INTERVAL_MS_MAX: u64 = 3_600_000;

impl Config {
    /// Puts the settings together. `hostname` is the machine's own name.
    ///
    /// # Errors
    ///
    /// The file or an option is not valid, or they contradict one another.
    pub fn resolve(args: &Args, hostname: &str) -> Result<Config, Failure> {
        if args.tls_capture {
            return Err(
                Failure::new(Exit::Usage, "--tls-capture is not supported yet")
                    .help("leave it out: tls_connect rules are then reported as not enforced"),
            );
        }
        let file = match &args.config {
            Some(path) => file::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => file::read(Path::new(DEFAULT_FILE))?,
            None => file::File::default(),
        };
        let token = token(args, &file)?;
        let files = files(args, &file);
        let mut labels = file.labels.unwrap_or_default();
        for label in &args.label {
            let (key, value) = split_label(label)?;
            labels.insert(key, value);
        }
        let scope = match &args.scope {
            Some(text) => Some(scope(text)?),
            None => file.scope,
        };
        let spool = file.spool.unwrap_or_default();
        let events = file.events.unwrap_or_default();
        let canary_interval_ms = file.canary_interval_ms.unwrap_or(CANARY_INTERVAL_MS);
        if !(CANARY_INTERVAL_MS_MIN..=CANARY_INTERVAL_MS_MAX).contains(&canary_interval_ms) {
            let range = format!("{CANARY_INTERVAL_MS_MIN} to {CANARY_INTERVAL_MS_MAX}");
            return Err(Failure::new(
                Exit::Config,
                format!("canary_interval_ms is {canary_interval_ms}, not {range}"),
            ));
        }
        let config = Config {
            server: args.server.clone().or(file.server),
            token,
            state_dir: args
                .state_dir
                .clone()
                .or(file.state_dir)
                .unwrap_or_else(|| STATE_DIR.into()),
            hostname: file.hostname.unwrap_or_else(|| hostname.to_owned()),
            labels,
            scope,
            policies: args.policy.clone(),
            signatures: [file.signatures.unwrap_or_default(), args.signatures.clone()].concat(),
            files,
            release: args.release,
            print_events: args.print_events,
            log_format: match file.log_format {
                Some(file::LogFormat::Json) if !args.foreground => Format::Json,
                _ => Format::Text,
            },
            log_filter: if args.foreground {
                "info,tyr=debug".to_owned()
            } else {
                file.log_filter.unwrap_or_else(|| "info".to_owned())
            },
            spool_bytes_max: spool.bytes_max.unwrap_or(SPOOL_BYTES_MAX),
            repeat_window: Duration::from_millis(
                events.repeat_window_ms.unwrap_or(REPEAT_WINDOW_MS),
            ),
            unmatched_events: events.unmatched.unwrap_or(true),
            canary_interval: Duration::from_millis(canary_interval_ms),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.server.is_some() && !self.policies.is_empty() {
            return Err(
                Failure::new(Exit::Usage, "--policy and a server exclude one another")
                    .help("apply the policy on the server: tyr policy apply -f FILE"),
            );
        }
        if let Some(server) = &self.server
            && !server.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        {
            return Err(
                Failure::new(Exit::Usage, format!("`{server}` is not HOST:PORT"))
                    .help("the gRPC side of the server listens on port 7700"),
            );
        }
        if self.spool_bytes_max < SPOOL_BYTES_MIN {
            return Err(Failure::new(
                Exit::Config,
                format!(
                    "spool.bytes_max is {}, less than {SPOOL_BYTES_MIN}",
                    self.spool_bytes_max
                ),
            ));
        }
        Ok(())
    }
}

fn files(args: &Args, file: &file::File) -> Vec<PathBuf> {
    let token_file = args.token_file.as_ref().or(file.token_file.as_ref());
    args.config.iter().chain(token_file).cloned().collect()
}

fn token(args: &Args, file: &file::File) -> Result<Option<String>, Failure> {
    if let Some(token) = &args.enroll {
        return Ok(Some(token.trim().to_owned()));
    }
    let Some(path) = args.token_file.as_ref().or(file.token_file.as_ref()) else {
        return Ok(None);
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        // A used token may be deleted: an enrolled host does not need it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.token_file.is_none() => {
            Ok(None)
        }
        Err(error) => {
            let what = format!("cannot read the token file {}", path.display());
            Err(Failure::caused(Exit::NoInput, what, &error))
        }
    }
}

fn split_label(label: &str) -> Result<(String, String), Failure> {
    match label.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(
            Failure::new(Exit::Usage, format!("`{label}` is not a label"))
                .help("write KEY=VALUE, as in --label env=production"),
        ),
    }
}

fn scope(text: &str) -> Result<PathBuf, Failure> {
    match text.strip_prefix("cgroup:") {
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(
            Failure::new(Exit::Usage, format!("`{text}` is not a scope")).help(
                "write cgroup: and the path of a cgroup folder, as in cgroup:/sys/fs/cgroup/canary",
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
