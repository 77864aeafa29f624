//! What the daemon counts, as the heartbeat carries it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::kernel::Kernel;
use super::spool::Spool;

/// Counters of the daemon itself.
#[derive(Debug, Default)]
pub struct Metrics {
    records: AtomicU64,
    exporting: AtomicBool,
}

impl Metrics {
    pub fn count_record(&self) {
        self.records.fetch_add(1, Ordering::Relaxed);
    }

    pub fn set_exporting(&self, exporting: bool) {
        self.exporting.store(exporting, Ordering::Relaxed);
    }

    /// All counters by name: the kernel's as `kernel_…`, those of the spool as `spool_…`.
    pub fn all(&self, kernel: &dyn Kernel, spool: &Spool) -> BTreeMap<String, u64> {
        let status = spool.status();
        let mut all: BTreeMap<String, u64> = kernel
            .counters()
            .into_iter()
            .map(|(name, value)| (format!("kernel_{name}"), value))
            .collect();
        all.insert(
            "records_read".to_owned(),
            self.records.load(Ordering::Relaxed),
        );
        all.insert("spool_last".to_owned(), status.last);
        all.insert("spool_acknowledged".to_owned(), status.acknowledged);
        all.insert("spool_bytes".to_owned(), status.bytes);
        all.insert("spool_evicted".to_owned(), status.evicted);
        all
    }
}
