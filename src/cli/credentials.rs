//! Which server the command line talks to, and as whom.
//!
//! `tyr login` keeps them in one file that only its owner may read; `TYR_SERVER`, `TYR_TOKEN`
//! and `TYR_CA_FILE` stand above it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};
use crate::process::Process;

use super::client::Address;

/// A server and the right to use it.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// `https://host:port`.
    pub server: String,
    pub token: String,
    /// The CA that the server's certificate must lead to.
    pub ca_pem: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

const FILE: &str = "credentials.json";
/// A credentials file is three short strings; more is not ours.
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Credentials {
    /// Those of the environment and of the file.
    ///
    /// # Errors
    ///
    /// Nobody has logged in, or what is there cannot be read.
    pub fn load(process: &Process) -> Result<Credentials, Failure> {
        let stored = match file(process) {
            Some(path) => read(&path)?,
            None => None,
        };
        let mut credentials = stored.unwrap_or(Credentials {
            server: String::new(),
            token: String::new(),
            ca_pem: String::new(),
        });
        if let Some(server) = process.var("TYR_SERVER") {
            credentials.server = Address::parse(server)?.to_string();
        }
        if let Some(token) = process.var("TYR_TOKEN") {
            credentials.token = token.to_owned();
        }
        if let Some(path) = process.var("TYR_CA_FILE") {
            credentials.ca_pem = read_ca(Path::new(path))?;
        }
        if credentials.server.is_empty()
            || credentials.token.is_empty()
            || credentials.ca_pem.is_empty()
        {
            return Err(Failure::new(Exit::Config, "not logged in to a server")
                .help("run `tyr login SERVER`, or set TYR_SERVER, TYR_TOKEN and TYR_CA_FILE"));
        }
        Ok(credentials)
    }

    /// Keeps them for the next command and tells where.
    ///
    /// # Errors
    ///
    /// There is no home folder, or the file cannot be written.
    pub fn store(&self, process: &Process) -> Result<PathBuf, Failure> {
        let path = file(process).ok_or_else(|| {
            Failure::new(Exit::Config, "no folder to keep credentials in")
                .help("set HOME or XDG_CONFIG_HOME")
        })?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::caused(Exit::Software, "cannot encode", &error))?;
        let written = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .and_then(|()| write_private(&path, text.as_bytes()));
        written.map_err(|error| {
            Failure::caused(Exit::Io, format!("cannot write {}", path.display()), &error)
        })?;
        Ok(path)
    }
}

/// PEM of a CA from a file.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_ca(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::caused(
            Exit::NoInput,
            format!("cannot read {}", path.display()),
            &error,
        )
    })
}

fn file(process: &Process) -> Option<PathBuf> {
    process.config_dir().map(|folder| folder.join(FILE))
}

fn read(path: &Path) -> Result<Option<Credentials>, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::caused(
            Exit::Config,
            format!("cannot read {}", path.display()),
            error,
        )
        .help("run `tyr login SERVER` again")
    };
    match fs::metadata(path) {
        Ok(about) if about.len() > FILE_BYTES_MAX => {
            return Err(
                Failure::new(Exit::Config, format!("{} is too long", path.display()))
                    .help("run `tyr login SERVER` again"),
            );
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| failed(&error))
}

/// Writes a file that is never readable by others, not even for a moment, and never half there.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
