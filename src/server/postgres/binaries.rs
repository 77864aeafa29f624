//! Where the programs of PostgreSQL are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;

pub(super) const VERSION_MIN: u32 = 14;

/// One installed PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
    version: u32,
}

impl Binaries {
    /// The newest one installed, or for data that exists the one that made it.
    pub(super) fn find(data: &Path) -> Result<Binaries, PostgresError> {
        choose(&installed(), version_of_data(data), data)
    }

    /// Path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The newest of `found`, or the one of version `wanted`.
fn choose(found: &[Binaries], wanted: Option<u32>, data: &Path) -> Result<Binaries, PostgresError> {
    let newest = found.iter().max_by_key(|binaries| binaries.version);
    let newest = newest.ok_or(PostgresError::NotInstalled)?;
    let chosen = match wanted {
        None => newest,
        Some(wanted) => {
            let folder = data.to_owned();
            let missing = PostgresError::OtherVersion { wanted, folder };
            found
                .iter()
                .find(|binaries| binaries.version == wanted)
                .ok_or(missing)?
        }
    };
    if chosen.version < VERSION_MIN {
        let folder = chosen.folder.clone();
        return Err(PostgresError::TooOld {
            found: chosen.version,
            folder,
        });
    }
    Ok(chosen.clone())
}

fn version_of_data(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Debian keeps each version in a folder of its own and only a wrapper in PATH; others differ.
fn installed() -> Vec<Binaries> {
    let mut folders = Vec::new();
    for (root, inside) in [("/usr/lib/postgresql", "bin"), ("/usr", "bin")] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_version = name
                .to_string_lossy()
                .trim_start_matches("pgsql-")
                .parse::<u32>();
            if is_version.is_ok() {
                folders.push(entry.path().join(inside));
            }
        }
    }
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let complete = |folder: &PathBuf| {
        ["postgres", "initdb", "pg_ctl"]
            .iter()
            .all(|program| folder.join(program).exists())
    };
    let mut found: Vec<Binaries> = folders
        .into_iter()
        .filter(complete)
        .filter_map(|folder| {
            Some(Binaries {
                version: version_of(&folder)?,
                folder,
            })
        })
        .collect();
    found.dedup();
    found
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` is 15.
fn version_of(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

pub(super) fn parse_version(text: &str) -> Option<u32> {
    let digits = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    digits?
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
pub(super) fn choose_among(versions: &[u32], wanted: Option<u32>) -> Result<u32, PostgresError> {
    let found: Vec<Binaries> = versions
        .iter()
        .map(|&version| Binaries {
            folder: PathBuf::from("/usr/bin"),
            version,
        })
        .collect();
    choose(&found, wanted, Path::new("/data")).map(|binaries| binaries.version)
}
