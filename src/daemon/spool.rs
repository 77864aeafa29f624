//! The queue on disk between this host and the server. It knows bytes, not events.
//!
//! Records are numbered from 1 and chained by hash. They come in batches, each closed by a *mark*:
//! bytes that tell its writer where to go on, which mean nothing here. A batch is on disk whole or
//! not at all, through a kill or a loss of power at any moment, and only then is it read, so a
//! number that has left the host is never given to another record. Over the byte cap the oldest
//! files go; the reader then meets a [`Gap`].

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
use segment::{EVENT_BYTES_MAX, Header, MARK_BYTES_MAX, Mark, Record};

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes all files may take together. One batch, which is never divided, may pass it.
    pub bytes_max: u64,
    /// A file is closed when it would grow past this, unless one batch alone does.
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
    /// Last record, which is on disk; 0: none yet.
    pub last: u64,
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
    #[error("a mark of {0} bytes does not fit the spool, the most is {MARK_BYTES_MAX}")]
    MarkTooLong(usize),
    #[error(
        "{path} has format {version}, which this version of tyr does not read; start the one that \
         wrote it, or move the folder away", path = path.display()
    )]
    Version { path: PathBuf, version: u32 },
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
    /// Of the last batch.
    mark: Option<Vec<u8>>,
    /// The file being written may hold bytes of a batch that failed.
    has_refuse: bool,
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
    /// Opens the spool in `dir`, which is made when it is missing. What follows the last mark is
    /// taken off; damage further in becomes a [`Gap`] when it is read.
    ///
    /// # Errors
    ///
    /// The folder or a file in it cannot be read or written, or a later version wrote it.
    pub fn open(dir: &Path, limits: Limits) -> Result<Spool, SpoolError> {
        Ok(Spool {
            inner: Mutex::new(files::open(dir, limits)?),
        })
    }

    /// Appends a batch, closes it with `mark`, and puts it on disk. Gives the number of the last
    /// record.
    ///
    /// # Errors
    ///
    /// Something is too long, or the disk refuses the batch, on a full one even after the oldest
    /// files went. The spool is then as it was before, and the same batch may be tried again.
    pub fn commit<E: AsRef<[u8]>>(&self, events: &[E], mark: &[u8]) -> Result<u64, SpoolError> {
        if mark.len() > MARK_BYTES_MAX {
            return Err(SpoolError::MarkTooLong(mark.len()));
        }
        let mut inner = self.lock();
        let (mut next, mut chain) = (inner.next, inner.chain);
        let mut bytes = Vec::new();
        for event in events {
            let event = event.as_ref();
            if event.len() > EVENT_BYTES_MAX {
                return Err(SpoolError::EventTooLong(event.len()));
            }
            let record = Record {
                sequence: next,
                before: chain,
                event,
            };
            record.encode_to(&mut bytes);
            chain = record.after();
            next += 1;
        }
        let last = next - 1;
        let closing = Mark {
            last,
            chain,
            bytes: mark,
        };
        closing.encode_to(&mut bytes);
        inner.make_room(bytes.len() as u64)?;
        loop {
            match inner.write(&bytes) {
                Ok(()) => break,
                // The oldest records make room for the newest, as at the cap.
                Err(error) if error.is_full_disk() && inner.evict(1)? => {}
                Err(error) => return Err(error),
            }
        }
        (inner.next, inner.chain, inner.mark) = (next, chain, Some(mark.to_vec()));
        Ok(last)
    }

    /// What closed the last batch; `None`: there was none.
    pub fn mark(&self) -> Option<Vec<u8>> {
        self.lock().mark.clone()
    }

    /// Records after number `after`, in order, at most `records_max` and, past the first,
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
            last: inner.last(),
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

impl SpoolError {
    fn is_full_disk(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, SpoolError::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

impl Inner {
    fn last(&self) -> u64 {
        self.next - 1
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Starts a new file when the batch would not fit, and keeps the byte cap.
    fn make_room(&mut self, batch_bytes: u64) -> Result<(), SpoolError> {
        let writing = self.files.last().map_or(0, |file| file.bytes);
        let header = self.files.last().map_or(0, |file| file.header.first);
        let is_empty = header == self.next;
        if !is_empty && writing + batch_bytes > self.limits.segment_bytes_max {
            loop {
                match self.rotate() {
                    Ok(()) => break,
                    Err(error) if error.is_full_disk() && self.evict(1)? => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let closed: Vec<u64> = self.files[..self.files.len() - 1]
            .iter()
            .map(|file| file.bytes)
            .collect();
        let writing = self.files.last().map_or(0, |file| file.bytes) + batch_bytes;
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

    /// Puts a batch on disk at the end of the file being written, or leaves it as it was.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let file = self
            .files
            .last_mut()
            .expect("a spool always has a file it writes");
        if self.has_refuse {
            self.writing
                .set_len(file.bytes)
                .map_err(io_error("cut back", &file.path))?;
            self.has_refuse = false;
        }
        let written = self.writing.write_all(bytes);
        // After a failed sync nobody knows what is on disk: the batch is written anew.
        if let Err(error) = written.and_then(|()| self.writing.sync_data()) {
            self.has_refuse = self.writing.set_len(file.bytes).is_err();
            return Err(io_error("write", &file.path)(error));
        }
        file.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Closes the file being written and starts the next, which begins with the mark in force.
    fn rotate(&mut self) -> Result<(), SpoolError> {
        if self.has_refuse {
            // A batch that failed must not come back from the file that is left behind.
            self.write(&[])?;
        }
        let mark = self.mark.as_deref();
        let (segment, file) = files::create(&self.dir, self.next, self.chain, mark)?;
        self.files.push(segment);
        self.writing = file;
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
