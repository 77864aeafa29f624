//! From the ring buffer to the spool: records are taken, and given back when their events are on
//! disk.
//!
//! The batch carries the position up to which it was taken as its mark. A daemon that was killed
//! before the mark was on disk left no event of the batch, and its records are still in the
//! buffer; one that was killed after it left all of them, and the mark tells the next daemon how
//! many records to pass over. There is no moment in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::engine::Engine;
use crate::daemon::kernel::{Kernel, Ring};
use crate::daemon::metrics::Metrics;
use crate::daemon::outbox::Outbox;
use crate::model::event::Body;

/// An event is on disk at most this long, and one sync, after its operation.
const COMMIT_INTERVAL: Duration = Duration::from_millis(250);
/// How often windows, losses and sessions are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before the ring buffer is opened again after a failure.
const OPEN_RETRY: Duration = Duration::from_secs(1);
/// What is taken and not given back stays below this part of the buffer.
const TAKEN_PART_MAX: u64 = 4;

/// How a daemon ends.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Soon, with everything reported.
    pub(crate) stop: AtomicBool,
    /// At once, as a kill would end it.
    pub(crate) kill: AtomicBool,
}

pub(super) struct Records {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) engine: Arc<Mutex<Engine>>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ending: Arc<Ending>,
}

impl Records {
    /// Runs until the daemon ends.
    pub(super) fn run(&self) {
        let mut now = Instant::now();
        let mut taking = Taking {
            work: self,
            ring: None,
            opened: None,
            given_back: 0,
            ticked: now,
            committed: now,
            failing_since: None,
        };
        loop {
            let is_last = self.ending.stop.load(Ordering::Acquire);
            taking.open(now);
            let is_drained = taking.take();
            if self.ending.kill.load(Ordering::Acquire) {
                return;
            }
            now = Instant::now();
            if is_last || now.duration_since(taking.ticked) >= TICK {
                taking.ticked = now;
                self.engine().tick(is_drained);
            }
            if is_last || taking.is_due(now) {
                taking.commit(now);
            }
            if is_last {
                return;
            }
            taking.wait();
        }
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct Taking<'a> {
    work: &'a Records,
    ring: Option<Box<dyn Ring + 'a>>,
    /// When it was tried last.
    opened: Option<Instant>,
    /// Position up to which the kernel has the buffer back.
    given_back: u64,
    ticked: Instant,
    committed: Instant,
    failing_since: Option<Instant>,
}

impl Taking<'_> {
    /// Opens the ring buffer and passes over what an earlier daemon has spooled.
    fn open(&mut self, now: Instant) {
        let is_due = self
            .opened
            .is_none_or(|opened| now.duration_since(opened) >= OPEN_RETRY);
        if self.ring.is_some() || !is_due {
            return;
        }
        self.opened = Some(now);
        match self.work.kernel.ring() {
            Ok(Some(mut ring)) => {
                if let Some((identity, position)) = self.work.engine().spooled_position()
                    && identity == ring.identity()
                {
                    ring.commit(position);
                }
                self.given_back = ring.position();
                self.ring = Some(ring);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "cannot read the kernel's records"),
        }
    }

    /// Takes what is there, as far as a batch goes. Tells whether nothing is left.
    fn take(&mut self) -> bool {
        let Some(ring) = &mut self.ring else {
            return true;
        };
        let taken_max = ring.size() / TAKEN_PART_MAX;
        while !self.work.ending.kill.load(Ordering::Relaxed) {
            if self.work.outbox.is_full() || ring.position() - self.given_back >= taken_max {
                return false;
            }
            match ring.next() {
                None => return true,
                Some(Ok(record)) => {
                    self.work.metrics.count_record();
                    self.work.engine().record(record);
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a record of the kernel cannot be read");
                    self.work.engine().unreadable();
                }
            }
        }
        false
    }

    fn is_due(&self, now: Instant) -> bool {
        if now.duration_since(self.committed) >= COMMIT_INTERVAL {
            let taken = self.ring.as_ref().map_or(0, |ring| ring.position());
            return taken > self.given_back || !self.work.outbox.is_empty();
        }
        // A disk that fails is not asked more often for being asked in vain.
        self.failing_since.is_none() && (self.work.outbox.is_full() || self.has_taken_much())
    }

    fn has_taken_much(&self) -> bool {
        self.ring
            .as_ref()
            .is_some_and(|ring| ring.position() - self.given_back >= ring.size() / TAKEN_PART_MAX)
    }

    /// Spools the batch, then gives its records back.
    fn commit(&mut self, now: Instant) {
        self.committed = now;
        let taken = self
            .ring
            .as_ref()
            .map(|ring| (ring.identity(), ring.position()));
        let mark = self.work.engine().end_batch(taken);
        // Records that made no event need no place in the spool.
        if !self.work.outbox.is_empty() {
            if let Err(error) = self.work.outbox.commit(&mark) {
                if self.failing_since.is_none() {
                    self.failing_since = Some(now);
                    tracing::error!(error = crate::exit::chain(&error), "cannot spool events");
                }
                return;
            }
            if self.work.ending.kill.load(Ordering::Acquire) {
                return;
            }
        }
        if let (Some(ring), Some((_, position))) = (&mut self.ring, taken) {
            ring.commit(position);
            self.given_back = position;
        }
        let mut engine = self.work.engine();
        engine.batch_committed();
        if let Some(since) = self.failing_since.take() {
            let seconds = now.duration_since(since).as_secs_f64();
            engine.host_event(Body::Alarm {
                message: format!(
                    "the spool could not be written for {seconds:.1} s: what did not fit the \
                     kernel's buffer meanwhile is reported as lost"
                ),
            });
        }
    }

    fn wait(&mut self) {
        let is_stuck = self.failing_since.is_some();
        match &mut self.ring {
            Some(ring) if !is_stuck => {
                if let Err(error) = ring.wait(TICK) {
                    tracing::error!(%error, "cannot wait for the kernel's records");
                    thread::sleep(TICK);
                }
            }
            _ => thread::sleep(TICK),
        }
    }
}
