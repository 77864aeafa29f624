//! Where the objects of records are: mount tables as they were last read.

use std::sync::{MutexGuard, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::kernel::mounts::{Mounts, Tables};
use crate::kernel::record;

use super::{KernelError, Live, said};

/// The mount table is read again for a record at most this often.
const MOUNTS_READ_INTERVAL: Duration = Duration::from_millis(200);

impl Live {
    /// Host paths of a file. An unknown file system makes the mount table be read again: it may
    /// have been mounted a moment ago.
    pub(super) fn host_paths(&self, place: &record::Place) -> Vec<Vec<u8>> {
        let ask = || self.tables().paths(place.dev, &place.path);
        if place.dev == 0 {
            // No file system: nothing, or the name that stands for programs without one.
            return if place.path.is_empty() {
                Vec::new()
            } else {
                vec![place.path.clone()]
            };
        }
        let paths = ask();
        if paths.is_empty() && self.read_mounts_again() {
            ask()
        } else {
            paths
        }
    }

    pub(super) fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        self.mounts
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn read_mounts_again(&self) -> bool {
        let mut last: MutexGuard<'_, Instant> = self
            .mounts_read
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if last.elapsed() < MOUNTS_READ_INTERVAL {
            return false;
        }
        *last = Instant::now();
        self.read_mounts().is_ok()
    }

    pub(super) fn read_mounts(&self) -> Result<Tables, KernelError> {
        let host = Mounts::read().map_err(said)?;
        let mounts = Tables::new(host, self.containers.mounts());
        *self
            .mounts
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = mounts.clone();
        Ok(mounts)
    }
}
