//! What is kept under the BPF file system, so that enforcement outlives the daemon.
//!
//! `DIR/maps/NAME` and `DIR/links/BUILD/NAME`: a new build pins its links beside the old ones
//! before those are removed, so there is no moment without programs.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Where the daemon pins.
pub const DEFAULT_DIR: &str = "/sys/fs/bpf/tyr";

/// A directory on a BPF file system.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    dir: PathBuf,
}

impl Pins {
    /// Makes the directory, which only root may enter.
    pub(crate) fn create(dir: &Path) -> Result<Pins, Error> {
        let pins = Pins {
            dir: dir.to_owned(),
        };
        for folder in [dir.to_owned(), pins.maps(), pins.links()] {
            make(&folder)?;
        }
        Ok(pins)
    }

    pub(crate) fn maps(&self) -> PathBuf {
        self.dir.join("maps")
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    fn links(&self) -> PathBuf {
        self.dir.join("links")
    }

    /// The folder of one build's links.
    pub(crate) fn build(&self, build: u64) -> PathBuf {
        self.links().join(format!("{build:016x}"))
    }

    /// An empty folder for one build. What an attempt that failed, or one in another mode, left in
    /// it is detached: the caller's programs are attached already.
    pub(crate) fn make_build(&self, build: u64) -> Result<PathBuf, Error> {
        let folder = self.build(build);
        remove_folder(&folder)?;
        make(&folder)?;
        Ok(folder)
    }

    /// Names of the links of one build.
    pub(crate) fn link_names(&self, build: u64) -> Result<Vec<String>, Error> {
        let names = entries(&self.build(build))?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect())
    }

    /// Detaches every build but one.
    pub(crate) fn remove_other_builds(&self, keep: u64) -> Result<(), Error> {
        let keep = OsString::from(format!("{keep:016x}"));
        for name in entries(&self.links())? {
            if name != keep {
                remove_folder(&self.links().join(name))?;
            }
        }
        Ok(())
    }

    pub(crate) fn remove_maps(&self) -> Result<(), Error> {
        for name in entries(&self.maps())? {
            remove_file(&self.map(&name.to_string_lossy()))?;
        }
        Ok(())
    }

    /// Removes everything: links first, then maps.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for name in entries(&self.links())? {
            remove_folder(&self.links().join(name))?;
        }
        self.remove_maps()?;
        for folder in [self.links(), self.maps(), self.dir.clone()] {
            remove_empty(&folder)?;
        }
        Ok(())
    }
}

fn make(folder: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::file(folder)(error)),
        _ => Ok(()),
    }
}

fn entries(folder: &Path) -> Result<Vec<OsString>, Error> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry.map_err(Error::file(folder))?.file_name());
    }
    names.sort();
    Ok(names)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path)(error)),
        _ => Ok(()),
    }
}

fn remove_empty(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(folder)(error)),
        _ => Ok(()),
    }
}

fn remove_folder(folder: &Path) -> Result<(), Error> {
    for name in entries(folder)? {
        remove_file(&folder.join(name))?;
    }
    remove_empty(folder)
}
