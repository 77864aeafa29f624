//! The daemon's folder: one daemon at a time, and files that are whole or not there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::exit::{Exit, Failure};

/// How long the lock may outlive its daemon: a child has it from its fork until it is gone, or
/// closes it in an exec, which on a busy machine may take a while.
const LOCK_LINGERS: Duration = Duration::from_secs(2);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// A folder that this daemon alone uses, for as long as the value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Its lock is what makes this daemon the only one.
    _lock: File,
}

impl StateDir {
    /// Makes the folder, only its owner may enter it, and locks it. Waits for a lock that a daemon
    /// which has just ended leaves behind.
    ///
    /// # Errors
    ///
    /// Another daemon uses it, or it cannot be made.
    pub fn lock(path: &Path) -> Result<StateDir, Failure> {
        let failed = |error: &io::Error| {
            let what = format!("cannot use the state folder {}", path.display());
            Failure::caused(Exit::Io, what, error)
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed(&error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(|error| failed(&error))?;
        match try_for(&lock, LOCK_LINGERS) {
            Ok(()) => Ok(StateDir {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Exit::Unavailable,
                format!("another daemon uses {}", path.display()),
            )
            .help("stop it first, or give this one a folder of its own with --state-dir")),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Bytes of a file; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file. After a crash at any point the old or the new one is there, whole.
    ///
    /// # Errors
    ///
    /// The disk refuses; the old file is still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path(&format!("{name}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.path(name))?;
        File::open(&self.path)?.sync_all()
    }
}

fn try_for(lock: &File, patience: Duration) -> Result<(), TryLockError> {
    let end = Instant::now() + patience;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOCK_RETRY),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests;
