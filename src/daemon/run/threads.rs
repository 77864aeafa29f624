//! What runs on threads of its own, because it waits in system calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::daemon::engine::Engine;
use crate::daemon::kernel::Kernel;
use crate::daemon::metrics::Metrics;
use crate::daemon::state::StateDir;
use crate::daemon::sync::{Change, Enforcer};

/// The spool is on disk at most this long after an event.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before the ring buffer is opened again after a failure.
const RECORDS_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Work {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) engine: Arc<Mutex<Engine>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) changes: Sender<Change>,
    pub(super) state: Arc<StateDir>,
    pub(super) loss_mark: LossMark,
    pub(super) enforcer: Enforcer,
    pub(super) received: Receiver<Change>,
}

/// Starts all threads. They end after `stop` is set and the enforcer is told to.
pub(super) fn start(work: Work) -> Vec<JoinHandle<()>> {
    let Work {
        kernel,
        engine,
        metrics,
        stop,
        changes,
        state,
        loss_mark,
        mut enforcer,
        received,
    } = work;
    let records = {
        let (kernel, engine, stop) = (Arc::clone(&kernel), Arc::clone(&engine), Arc::clone(&stop));
        thread::spawn(move || read_records(kernel.as_ref(), &engine, &metrics, &stop))
    };
    let ticks = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || tick(&engine, &stop, &state, loss_mark))
    };
    let mounts = thread::spawn(move || {
        while kernel.wait_for_mounts(&stop) {
            if changes.send(Change::Mounts).is_err() {
                return;
            }
        }
    });
    let enforcing = thread::spawn(move || enforcer.run(&received));
    vec![records, ticks, mounts, enforcing]
}

fn read_records(kernel: &dyn Kernel, engine: &Mutex<Engine>, metrics: &Metrics, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let read = kernel.records(stop, &mut |record| {
            metrics.count_record();
            engine
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .record(record);
        });
        match read {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, "cannot read the kernel's records");
                thread::sleep(RECORDS_RETRY);
            }
        }
    }
}

fn tick(engine: &Mutex<Engine>, stop: &AtomicBool, state: &StateDir, mut mark: LossMark) {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        let mut engine = engine
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        engine.tick();
        let events_lost = engine.events_lost();
        drop(engine);
        if events_lost != mark.events_lost {
            mark.events_lost = events_lost;
            mark.store(state);
        }
    }
}

/// How many lost records of this boot have been reported: counters outlive the daemon.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossMark {
    boot_id: String,
    pub events_lost: u64,
}

impl LossMark {
    const FILE: &str = "events_lost.json";

    /// The mark of this boot; zero when there is none.
    pub fn load(state: &StateDir, boot_id: &str) -> LossMark {
        let bytes = state
            .read(LossMark::FILE)
            .ok()
            .flatten()
            .unwrap_or_default();
        let stored: LossMark = serde_json::from_slice(&bytes).unwrap_or_default();
        if stored.boot_id == boot_id {
            stored
        } else {
            LossMark {
                boot_id: boot_id.to_owned(),
                events_lost: 0,
            }
        }
    }

    fn store(&self, state: &StateDir) {
        let written = serde_json::to_vec(self)
            .map_err(std::io::Error::from)
            .and_then(|bytes| state.write(LossMark::FILE, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot note what was lost");
        }
    }
}
