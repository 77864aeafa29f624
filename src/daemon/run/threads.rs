//! What runs on threads of its own, because it waits in system calls.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::daemon::kernel::Kernel;
use crate::daemon::sync::{Change, Enforcer};

use super::records::{Ending, Records};

pub(super) struct Work {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) records: Records,
    pub(super) ending: Arc<Ending>,
    pub(super) changes: Sender<Change>,
    pub(super) enforcer: Enforcer,
    pub(super) received: Receiver<Change>,
}

/// Starts all threads. They end after `ending` is set and the enforcer is told to.
pub(super) fn start(work: Work) -> Vec<JoinHandle<()>> {
    let Work {
        kernel,
        records,
        ending,
        changes,
        mut enforcer,
        received,
    } = work;
    let records = thread::spawn(move || records.run());
    let mounts = thread::spawn(move || {
        while kernel.wait_for_mounts(&ending.stop) {
            if changes.send(Change::Mounts).is_err() {
                return;
            }
        }
    });
    let enforcing = thread::spawn(move || enforcer.run(&received));
    vec![records, mounts, enforcing]
}
