//! What was laid out on this host, so that exactly that is taken back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::Role;
use super::{Error, Target, file};

/// One file of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Of a file: what it held when it was laid out. Two while it is being replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<String>,
    /// Of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PathBuf>,
    /// Whether it is the operator's to edit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub setting: bool,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of the executable that laid it out last.
    pub version: String,
    pub prefix: PathBuf,
    pub roles: Vec<Role>,
    pub files: BTreeMap<PathBuf, Entry>,
    /// Folders that were made for it, outermost first.
    pub folders: Vec<PathBuf>,
    /// Users that were made for it.
    pub users: Vec<String>,
}

/// Agents can neither read nor write there.
const PATH: &str = "/var/lib/tyr/installed.json";
const MODE: u32 = 0o644;
const BYTES_MAX: u64 = 1 << 20;

impl Record {
    pub fn new(prefix: &Path) -> Record {
        Record {
            version: crate::version::VERSION.to_owned(),
            prefix: prefix.to_owned(),
            roles: Vec::new(),
            files: BTreeMap::new(),
            folders: Vec::new(),
            users: Vec::new(),
        }
    }

    pub fn path() -> &'static Path {
        Path::new(PATH)
    }

    /// # Errors
    /// There is one that cannot be read.
    pub fn read(target: &Target) -> Result<Option<Record>, Error> {
        let path = target.at(Record::path());
        let text = match bounded(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        match serde_json::from_str(&text) {
            Ok(record) => Ok(Some(record)),
            Err(error) => Err(Error::Record {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// # Errors
    /// The disk refuses; the old one is still there.
    pub fn write(&self, target: &Target) -> Result<(), Error> {
        let path = target.at(Record::path());
        let mut text = serde_json::to_string_pretty(self).map_err(|error| Error::Record {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        text.push('\n');
        file::make_folders(&path)?;
        file::write(&path, text.as_bytes(), MODE)
    }

    /// Whether nothing of the installation is left.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.users.is_empty()
    }
}

fn bounded(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}
