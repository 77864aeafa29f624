//! What a server runs with: flags over environment over `server.yaml` over defaults.

#[cfg(test)]
mod tests;

use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use serde::Deserialize;

/// Read when it exists and no other file is named.
const DEFAULT_FILE: &str = "/etc/tyr/server.yaml";
const HOURS_MAX: u32 = 24 * 365;
const CONNECTIONS_MAX: usize = 90;

/// Run the control plane: gRPC for hosts, REST for people.
#[derive(ArgsInfo, FromArgs, Clone, Debug, Default)]
#[argh(subcommand, name = "server")]
pub struct Options {
    /// configuration file (default: /etc/tyr/server.yaml, if it exists)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,

    /// folder of the private PostgreSQL and of the first admin token
    #[argh(option, arg_name = "folder")]
    pub data_dir: Option<PathBuf>,

    /// address for hosts (default: 0.0.0.0:7700)
    #[argh(option, arg_name = "address")]
    pub grpc_listen: Option<SocketAddr>,

    /// address for REST and the page (default: 0.0.0.0:7701)
    #[argh(option, arg_name = "address")]
    pub rest_listen: Option<SocketAddr>,

    /// name or address that hosts and people reach this server by; may be given several times
    #[argh(option, arg_name = "name")]
    pub server_name: Vec<String>,

    /// postgreSQL to use in place of a private one (also: environment DATABASE_URL)
    #[argh(option, arg_name = "url")]
    pub database_url: Option<String>,
}

/// Everything a server needs, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub grpc_listen: SocketAddr,
    pub rest_listen: SocketAddr,
    /// Besides the host name, `localhost`, `127.0.0.1` and `::1`.
    pub server_names: Vec<String>,
    /// `None`: a private PostgreSQL.
    pub database_url: Option<String>,
    pub database_ca_file: Option<PathBuf>,
    pub database_connections_max: usize,
    pub ca_seal_key_file: Option<PathBuf>,
    pub host_certificate_hours: u32,
    pub events_keep_days: u32,
    pub shutdown_grace_s: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: PathBuf::from("/var/lib/tyr/server"),
            grpc_listen: SocketAddr::from(([0, 0, 0, 0], 7700)),
            rest_listen: SocketAddr::from(([0, 0, 0, 0], 7701)),
            server_names: Vec::new(),
            database_url: None,
            database_ca_file: None,
            database_connections_max: 16,
            ca_seal_key_file: None,
            host_certificate_hours: 24,
            events_keep_days: 30,
            shutdown_grace_s: 10,
        }
    }
}

/// Why a configuration is not one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not valid: {reason}")]
    Syntax { path: PathBuf, reason: String },
    #[error("{field} is {value}: it must be {expected}")]
    Range {
        field: &'static str,
        value: String,
        expected: &'static str,
    },
}

impl Config {
    /// The configuration for these flags, this process's environment and the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, has an unknown or malformed field, or a value is out of range.
    pub fn load(options: &Options) -> Result<Config, ConfigError> {
        let mut config = match &options.config {
            Some(path) => Config::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => Config::read(Path::new(DEFAULT_FILE))?,
            None => Config::default(),
        };
        let given = |name| {
            env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        if let Some(url) = given("DATABASE_URL") {
            config.database_url = Some(url);
        }
        config.overrule(options);
        config.check()?;
        Ok(config)
    }

    /// The configuration in the text of a `server.yaml`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// The text is not YAML, or has an unknown or malformed field.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        // A file of comments alone is valid and sets nothing.
        if text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
        {
            return Ok(Config::default());
        }
        crate::yaml::from_str(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn read(path: &Path) -> Result<Config, ConfigError> {
        let failed = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        Config::parse(path, &fs::read_to_string(path).map_err(failed)?)
    }

    fn overrule(&mut self, options: &Options) {
        if let Some(folder) = &options.data_dir {
            self.data_dir.clone_from(folder);
        }
        if let Some(address) = options.grpc_listen {
            self.grpc_listen = address;
        }
        if let Some(address) = options.rest_listen {
            self.rest_listen = address;
        }
        if let Some(url) = &options.database_url {
            self.database_url = Some(url.clone());
        }
        self.server_names
            .extend(options.server_name.iter().cloned());
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// A number is out of range, or a name is none.
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Some(name) = self.server_names.iter().find(|name| !is_host_name(name)) {
            return Err(ConfigError::Range {
                field: "server_names",
                value: format!("`{name}`"),
                expected: "a host name or an address",
            });
        }
        let range = |ok: bool, field, value: String, expected| {
            if ok {
                Ok(())
            } else {
                Err(ConfigError::Range {
                    field,
                    value,
                    expected,
                })
            }
        };
        range(
            (1..=HOURS_MAX).contains(&self.host_certificate_hours),
            "host_certificate_hours",
            self.host_certificate_hours.to_string(),
            "1 to 8760",
        )?;
        range(
            (1..=36_500).contains(&self.events_keep_days),
            "events_keep_days",
            self.events_keep_days.to_string(),
            "1 to 36500",
        )?;
        range(
            (4..=CONNECTIONS_MAX).contains(&self.database_connections_max),
            "database_connections_max",
            self.database_connections_max.to_string(),
            "4 to 90",
        )?;
        range(
            self.shutdown_grace_s <= 600,
            "shutdown_grace_s",
            self.shutdown_grace_s.to_string(),
            "at most 600",
        )
    }

    /// All names of the server's certificate; the first is what people see.
    pub fn all_names(&self) -> Vec<String> {
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let own = [hostname.trim(), "localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut names: Vec<String> = Vec::new();
        for name in self.server_names.iter().cloned().chain(own) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    pub(super) fn host_certificate_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.host_certificate_hours) * 3_600)
    }
}

/// An address, or labels of letters, digits and hyphens with dots between them.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}
