//! The queue on disk between this host and the server. It knows bytes, not events.
//!
//! Records are numbered from 1 and chained by hash. An append is in the kernel's page cache when
//! it returns, so it outlives the daemon; after [`Spool::sync`] it outlives the machine. Only
//! what is synced is read, so a number that has left the host is never given to another record.
//! Over the byte cap the oldest files go; the reader then meets a [`Gap`].

pub mod chain;
pub mod crc;
pub mod cursor;
mod files;
mod reader;
pub mod retention;
pub mod segment;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use chain::Chain;
use cursor::{Cursor, Position};
use segment::{EVENT_BYTES_MAX, HEADER_BYTES, Header, Record};

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes all files may take together.
    pub bytes_max: u64,
    /// A file is closed when it would grow past this.
    pub segment_bytes_max: u64,
}

impl Limits {
    /// Files of 4 MiB, or an eighth of a small cap, so that one eviction never takes much.
    pub fn with_cap(bytes_max: u64) -> Limits {
        Limits {
            bytes_max,
            segment_bytes_max: (bytes_max / 8).clamp(4096, 4 << 20),
        }
    }
}

/// What a reader gets, in order of sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Record(Stored),
    Gap(Gap),
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub sequence: u64,
    pub event: Vec<u8>,
    /// Chain after this record.
    pub chain: Chain,
}

/// Records that are no longer there. The chain goes on from `chain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: u64,
    pub last: u64,
    /// Chain after `last`.
    pub chain: Chain,
    pub cause: GapCause,
}

/// Why records are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// They went to keep the byte cap.
    Evicted,
    /// Their bytes on disk are damaged.
    Damaged,
}

/// Numbers about a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Last record appended; 0: none yet.
    pub last: u64,
    /// Last record known to be on disk.
    pub synced: u64,
    pub acknowledged: u64,
    pub bytes: u64,
    /// Records evicted since the spool was made.
    pub evicted: u64,
}

/// What a spool cannot do.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("cannot {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("an event of {0} bytes does not fit the spool, the most is {EVENT_BYTES_MAX}")]
    EventTooLong(usize),
}

/// The queue. All methods may be called from any thread.
pub struct Spool {
    inner: Mutex<Inner>,
}

struct Inner {
    dir: PathBuf,
    limits: Limits,
    /// Oldest first; the last one is being written.
    files: Vec<Segment>,
    writing: File,
    next: u64,
    /// Chain before `next`.
    chain: Chain,
    synced: u64,
    unsynced_bytes: u64,
    cursor: Cursor,
    position: Position,
    place: Option<reader::Place>,
}

/// One file, as far as it matters between reads.
#[derive(Clone, Debug)]
struct Segment {
    path: PathBuf,
    header: Header,
    bytes: u64,
}

impl Spool {
    /// Opens the spool in `dir`, which is made when it is missing. A tail that was cut is taken
    /// off; damage further in becomes a [`Gap`] when it is read.
    ///
    /// # Errors
    ///
    /// The folder or a file in it cannot be read or written.
    pub fn open(dir: &Path, limits: Limits) -> Result<Spool, SpoolError> {
        Ok(Spool {
            inner: Mutex::new(files::open(dir, limits)?),
        })
    }

    /// Appends one record and gives its number.
    ///
    /// # Errors
    ///
    /// The event is too long, or the disk refuses it even after the oldest file went. The spool
    /// is then as it was before.
    pub fn append(&self, event: &[u8]) -> Result<u64, SpoolError> {
        if event.len() > EVENT_BYTES_MAX {
            return Err(SpoolError::EventTooLong(event.len()));
        }
        let mut inner = self.lock();
        let sequence = inner.next;
        let record = Record {
            sequence,
            before: inner.chain,
            event,
        };
        let bytes = record.encode();
        inner.make_room(bytes.len() as u64)?;
        if let Err(first) = inner.write(&bytes) {
            // A full disk: the oldest records make room for the newest, as at the cap.
            if !inner.evict(1)? {
                return Err(first);
            }
            inner.write(&bytes)?;
        }
        inner.chain = record.after();
        inner.next += 1;
        inner.unsynced_bytes += bytes.len() as u64;
        Ok(sequence)
    }

    /// Puts everything appended so far on disk.
    ///
    /// # Errors
    ///
    /// The disk fails; what was appended may then be lost with the machine's power.
    pub fn sync(&self) -> Result<(), SpoolError> {
        self.lock().sync()
    }

    /// Bytes that a loss of power would take.
    pub fn unsynced_bytes(&self) -> u64 {
        self.lock().unsynced_bytes
    }

    /// Synced records after number `after`, in order, at most `records_max` and, past the first,
    /// `bytes_max` bytes of events.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(
        &self,
        after: u64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Item>, SpoolError> {
        reader::read(&mut self.lock(), after, records_max, bytes_max)
    }

    /// Remembers, on disk, that `sequence` may reach the server with `chain`. To be called
    /// before it is sent.
    ///
    /// # Errors
    ///
    /// The disk fails; then the record must not be sent.
    pub fn mark_sent(&self, sequence: u64, chain: Chain) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        if sequence <= inner.position.sent {
            return Ok(());
        }
        inner.position.sent = sequence;
        inner.position.sent_chain = chain;
        inner.save(true)
    }

    /// Takes the server's word that everything up to `sequence` is committed, and drops files
    /// that hold nothing newer. A number that was never sent is not believed.
    ///
    /// # Errors
    ///
    /// The disk fails; the records are then sent again later.
    pub fn acknowledge(&self, sequence: u64) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        let sequence = sequence.min(inner.position.sent);
        if sequence <= inner.position.acknowledged {
            return Ok(());
        }
        inner.position.acknowledged = sequence;
        inner.save(false)?;
        while inner.files.len() > 1 && inner.files[1].header.first <= sequence + 1 {
            inner.remove_oldest()?;
        }
        Ok(())
    }

    pub fn status(&self) -> Status {
        let inner = self.lock();
        Status {
            last: inner.next - 1,
            synced: inner.synced,
            acknowledged: inner.position.acknowledged,
            bytes: inner.bytes(),
            evicted: inner.position.evicted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every method leaves the fields agreeing with the files before it can panic.
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Starts a new file when the record would not fit, and keeps the byte cap.
    fn make_room(&mut self, record_bytes: u64) -> Result<(), SpoolError> {
        let writing = self.files.last().map_or(0, |file| file.bytes);
        let is_empty = writing <= HEADER_BYTES as u64;
        let is_full = !is_empty && writing + record_bytes > self.limits.segment_bytes_max;
        if is_full && let Err(error) = self.rotate() {
            if !self.evict(1)? {
                return Err(error);
            }
            self.rotate()?;
        }
        let closed: Vec<u64> = self.files[..self.files.len() - 1]
            .iter()
            .map(|file| file.bytes)
            .collect();
        let writing = self.files.last().map_or(0, |file| file.bytes) + record_bytes;
        let count = retention::files_to_evict(&closed, writing, self.limits.bytes_max);
        self.evict(count)?;
        Ok(())
    }

    /// Drops the `count` oldest closed files; tells whether one went.
    fn evict(&mut self, count: usize) -> Result<bool, SpoolError> {
        let mut evicted = false;
        for _ in 0..count {
            if self.files.len() < 2 {
                break;
            }
            let first = self.files[0]
                .header
                .first
                .max(self.position.acknowledged + 1);
            let end = self.files[1].header.first;
            self.remove_oldest()?;
            self.position.evicted += end.saturating_sub(first);
            evicted = true;
        }
        if evicted {
            self.save(false)?;
        }
        Ok(evicted)
    }

    fn remove_oldest(&mut self) -> Result<(), SpoolError> {
        let path = self.files[0].path.clone();
        std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
        self.files.remove(0);
        Ok(())
    }

    /// Appends bytes to the file being written, or leaves it as it was.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let file = self
            .files
            .last_mut()
            .expect("a spool always has a file it writes");
        if let Err(error) = self.writing.write_all(bytes) {
            let whole = file.bytes;
            let path = file.path.clone();
            self.writing
                .set_len(whole)
                .map_err(io_error("cut back", &path))?;
            return Err(io_error("write", &path)(error));
        }
        file.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Closes the file being written and starts the next.
    fn rotate(&mut self) -> Result<(), SpoolError> {
        self.sync()?;
        let (segment, file) = files::create(&self.dir, self.next, self.chain)?;
        self.files.push(segment);
        self.writing = file;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SpoolError> {
        if self.synced + 1 == self.next {
            return Ok(());
        }
        let path = &self
            .files
            .last()
            .expect("a spool always has a file it writes")
            .path;
        self.writing.sync_data().map_err(io_error("sync", path))?;
        self.synced = self.next - 1;
        self.unsynced_bytes = 0;
        Ok(())
    }

    fn save(&mut self, sync: bool) -> Result<(), SpoolError> {
        let path = self.dir.join(files::CURSOR);
        self.cursor
            .save(self.position, sync)
            .map_err(io_error("write", &path))
    }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { what, path, source }
}

#[cfg(test)]
mod tests;
