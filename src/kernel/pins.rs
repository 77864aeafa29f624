//! What is kept under the BPF file system, so that enforcement outlives the daemon.
//!
//! `DIR/BUILD/maps/NAME` and `DIR/BUILD/links/NAME`, a folder for each build that is attached. A
//! folder is filled under another name and renamed when nothing is missing in it, so one that is
//! there is whole. A new build is there before the one before it goes.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Where the daemon pins.
pub const DEFAULT_DIR: &str = "/sys/fs/bpf/tyr";

/// Folders that are being filled. The BPF file system allows no dot in a name.
const FILLING: &str = "new-";
/// Folders of builds whose programs are gone and whose last counts are not reported yet.
const LEFT: &str = "old-";

/// Whether programs are pinned in `dir`.
pub fn holds_programs(dir: &Path) -> bool {
    Pins::at(dir)
        .builds()
        .is_ok_and(|builds| !builds.is_empty())
}

/// A directory on a BPF file system.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    dir: PathBuf,
}

/// The folder of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) build: u64,
}

impl Folder {
    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.path.join("maps").join(name)
    }

    pub(crate) fn links(&self) -> PathBuf {
        self.path.join("links")
    }

    pub(crate) fn link(&self, name: &str) -> PathBuf {
        self.links().join(name)
    }

    pub(crate) fn link_names(&self) -> Result<Vec<String>, Error> {
        let names = entries(&self.links())?.into_iter();
        Ok(names.filter_map(|name| name.into_string().ok()).collect())
    }

    /// Links first: no program may meet a map that is half gone.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        remove_all(&self.links())?;
        remove_all(&self.path)
    }
}

impl Pins {
    /// Makes the directory, which only root may enter.
    pub(crate) fn create(dir: &Path) -> Result<Pins, Error> {
        make(dir)?;
        Ok(Pins::at(dir))
    }

    /// The directory as it is.
    pub(crate) fn at(dir: &Path) -> Pins {
        Pins {
            dir: dir.to_owned(),
        }
    }

    /// The builds that are pinned whole.
    pub(crate) fn builds(&self) -> Result<Vec<Folder>, Error> {
        self.folders("")
    }

    /// Builds that were superseded and are kept for their counts.
    pub(crate) fn left(&self) -> Result<Vec<Folder>, Error> {
        self.folders(LEFT)
    }

    /// An empty folder to fill for one build. What an attempt that failed left there goes.
    pub(crate) fn begin(&self, build: u64) -> Result<Folder, Error> {
        let folder = self.folder(FILLING, build);
        folder.remove()?;
        for path in [
            folder.path.clone(),
            folder.path.join("maps"),
            folder.links(),
        ] {
            make(&path)?;
        }
        Ok(folder)
    }

    /// The folder is full: from now on it counts. One of the same build that is there already
    /// goes; its programs are the same as those that are attached by now.
    pub(crate) fn publish(&self, filled: &Folder) -> Result<(), Error> {
        let folder = self.folder("", filled.build);
        folder.remove()?;
        rename(&filled.path, &folder.path)
    }

    /// Takes a build off, but keeps its maps for their counts.
    pub(crate) fn leave(&self, folder: &Folder) -> Result<(), Error> {
        remove_all(&folder.links())?;
        let left = self.folder(LEFT, folder.build);
        left.remove()?;
        rename(&folder.path, &left.path)
    }

    /// Every link that is pinned, whole build or not.
    pub(crate) fn links(&self) -> Result<Vec<PathBuf>, Error> {
        let mut links = Vec::new();
        for name in entries(&self.dir)? {
            let folder = self.dir.join(name).join("links");
            links.extend(entries(&folder)?.into_iter().map(|name| folder.join(name)));
        }
        Ok(links)
    }

    /// Removes everything but the folders of these builds and those that were left.
    pub(crate) fn remove_others(&self, keep: &[u64]) -> Result<(), Error> {
        let kept: Vec<OsString> = keep
            .iter()
            .map(|build| format!("{build:016x}").into())
            .collect();
        for name in entries(&self.dir)? {
            let is_left = name.as_encoded_bytes().starts_with(LEFT.as_bytes());
            if !is_left && !kept.contains(&name) {
                remove_links_first(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for name in entries(&self.dir)? {
            remove_links_first(&self.dir.join(name))?;
        }
        remove_all(&self.dir)
    }

    fn folder(&self, before: &str, build: u64) -> Folder {
        Folder {
            path: self.dir.join(format!("{before}{build:016x}")),
            build,
        }
    }

    fn folders(&self, before: &str) -> Result<Vec<Folder>, Error> {
        let number = |name: &str| {
            let digits = name.strip_prefix(before).filter(|rest| rest.len() == 16)?;
            u64::from_str_radix(digits, 16).ok()
        };
        let names = entries(&self.dir)?.into_iter();
        let builds = names.filter_map(|name| number(name.to_str()?));
        Ok(builds.map(|build| self.folder(before, build)).collect())
    }
}

fn make(folder: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::file(folder)(error)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(Error::file(from))
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

fn remove_links_first(folder: &Path) -> Result<(), Error> {
    remove_all(&folder.join("links"))?;
    remove_all(folder)
}

fn remove_all(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::file(path)),
    }
}
