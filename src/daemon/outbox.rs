//! Where events leave the daemon: the spool, and standard output when it is asked for.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::model::event::{Body, Event, Process};
use crate::wire::convert::encode_event;

use super::spool::{Spool, SpoolError};

/// Takes events. May be shared by threads.
pub struct Outbox {
    spool: Arc<Spool>,
    print: bool,
    /// Events that the disk refused since the last one it took.
    refused: AtomicU64,
    appended: AtomicU64,
    /// Number of the last record that may be exported.
    synced: watch::Sender<u64>,
}

/// A burst is put on disk when this much has come, without waiting for the next tick.
const UNSYNCED_BYTES_MAX: u64 = 1 << 20;

impl Outbox {
    pub fn new(spool: Arc<Spool>, print: bool) -> Outbox {
        let (synced, _) = watch::channel(spool.status().synced);
        Outbox {
            spool,
            print,
            refused: AtomicU64::new(0),
            appended: AtomicU64::new(0),
            synced,
        }
    }

    /// Appends an event. When the disk refuses it, it is counted, and a `lost` event is written
    /// as soon as the disk takes one again.
    pub fn put(&self, event: &Event) {
        if self.print {
            print(event);
        }
        let refused = self.refused.load(Ordering::Relaxed);
        if refused > 0
            && self
                .append(&lost(event, "the disk refused events", refused))
                .is_ok()
        {
            self.refused.fetch_sub(refused, Ordering::Relaxed);
        }
        if let Err(error) = self.append(event)
            && self.refused.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!(error = crate::exit::chain(&error), "cannot spool events");
        }
        if self.spool.unsynced_bytes() >= UNSYNCED_BYTES_MAX {
            self.sync();
        }
    }

    /// Puts everything on disk and lets it be exported. To be called at least every 100 ms.
    pub fn sync(&self) {
        match self.spool.sync() {
            Ok(()) => {
                let synced = self.spool.status().synced;
                self.synced
                    .send_if_modified(|last| std::mem::replace(last, synced) != synced);
            }
            Err(error) => {
                tracing::error!(error = crate::exit::chain(&error), "cannot sync the spool");
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

    fn append(&self, event: &Event) -> Result<u64, SpoolError> {
        let appended = self.spool.append(&encode_event(event))?;
        self.appended.fetch_add(1, Ordering::Relaxed);
        Ok(appended)
    }
}

/// A `lost` event at the time of another.
fn lost(at: &Event, cause: &str, count: u64) -> Event {
    Event {
        time_ns: at.time_ns,
        boot_ns: at.boot_ns,
        process: Process::default(),
        agent: None,
        body: Body::Lost {
            cause: cause.to_owned(),
            count,
        },
    }
}

fn print(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        // A reader that has gone away must not end enforcement's audit.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
