//! Where events leave the daemon: batches for the spool, and standard output when it is asked
//! for.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::model::event::{Body, Event, Process};
use crate::wire::convert::encode_event;

use super::spool::segment::EVENT_BYTES_MAX;
use super::spool::{Spool, SpoolError};

/// Takes events, which wait for the next commit. May be shared by threads.
pub struct Outbox {
    spool: Arc<Spool>,
    print: bool,
    batch: Mutex<Batch>,
    /// Events that had no room since the last one that had.
    refused: AtomicU64,
    appended: AtomicU64,
    /// Number of the last record that may be exported.
    synced: watch::Sender<u64>,
}

/// Events that are not in the spool yet.
#[derive(Default)]
struct Batch {
    events: Vec<Vec<u8>>,
    /// For standard output.
    lines: Vec<String>,
    bytes: usize,
}

/// No record is taken from the kernel while this much waits.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Room for what comes without a record, and for the repetitions of a full batch.
const WAITING_BYTES_MAX: usize = 16 * BATCH_BYTES_MAX;

impl Outbox {
    pub fn new(spool: Arc<Spool>, print: bool) -> Outbox {
        let (synced, _) = watch::channel(spool.status().last);
        Outbox {
            spool,
            print,
            batch: Mutex::default(),
            refused: AtomicU64::new(0),
            appended: AtomicU64::new(0),
            synced,
        }
    }

    /// Adds an event to the batch. When the disk has refused batches for so long that there is
    /// no room, it is counted, and a `lost` event takes its place as soon as there is.
    pub fn put(&self, event: &Event) {
        let mut batch = self.batch();
        let refused = self.refused.load(Ordering::Relaxed);
        if refused > 0 && self.add(&mut batch, &lost(event, refused)) {
            self.refused.fetch_sub(refused, Ordering::Relaxed);
        }
        if !self.add(&mut batch, event) && self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("events are lost: none can be spooled");
        }
    }

    /// Whether it is time to commit before anything more is taken from the kernel.
    pub fn is_full(&self) -> bool {
        self.batch().bytes >= BATCH_BYTES_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.batch().events.is_empty()
    }

    /// Puts the batch on disk, closed with `mark`, and lets it be exported. One thread commits.
    ///
    /// # Errors
    ///
    /// The disk refuses it. The events wait for the next try.
    pub fn commit(&self, mark: &[u8]) -> Result<(), SpoolError> {
        // Not held while the disk works: events of other threads go into the next batch.
        let batch = std::mem::take(&mut *self.batch());
        match self.spool.commit(&batch.events, mark) {
            Ok(last) => {
                let count = batch.events.len() as u64;
                self.appended.fetch_add(count, Ordering::Relaxed);
                for line in batch.lines {
                    // A reader that has gone away must not end enforcement's audit.
                    let _ = writeln!(std::io::stdout(), "{line}");
                }
                self.synced
                    .send_if_modified(|before| std::mem::replace(before, last) != last);
                Ok(())
            }
            Err(error) => {
                let mut waiting = self.batch();
                let newer = std::mem::replace(&mut *waiting, batch);
                waiting.events.extend(newer.events);
                waiting.lines.extend(newer.lines);
                waiting.bytes += newer.bytes;
                Err(error)
            }
        }
    }

    /// Tells of new records.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.synced.subscribe()
    }

    /// Events put into the spool by this daemon.
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    fn add(&self, batch: &mut Batch, event: &Event) -> bool {
        let bytes = encode_event(event);
        if bytes.len() > EVENT_BYTES_MAX || batch.bytes + bytes.len() > WAITING_BYTES_MAX {
            return false;
        }
        batch.bytes += bytes.len();
        batch.events.push(bytes);
        if self.print
            && let Ok(line) = serde_json::to_string(event)
        {
            batch.lines.push(line);
        }
        true
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A `lost` event at the time of another.
fn lost(at: &Event, count: u64) -> Event {
    Event {
        time_ns: at.time_ns,
        boot_ns: at.boot_ns,
        process: Process::default(),
        agent: None,
        body: Body::Lost {
            cause: "the disk refused events".to_owned(),
            count,
        },
    }
}
