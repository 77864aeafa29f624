//! Reading the ring buffer, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libbpf_rs::RingBufferBuilder;

use super::error::Error;
use super::load::Programs;
use super::record::{BadRecord, Record};

/// How long a reader sleeps before it looks at `stop`.
const POLL_TIME: Duration = Duration::from_millis(100);

impl Programs {
    /// Hands every record to `receive` until `stop` is set; then what is left, and returns. Runs
    /// on the calling thread. Only one reader at a time may run on a host.
    ///
    /// # Errors
    /// Nothing is attached, or the ring buffer cannot be polled.
    pub fn records(
        &self,
        stop: &AtomicBool,
        mut receive: impl FnMut(Result<Record, BadRecord>),
    ) -> Result<(), Error> {
        let map = self.attached()?.map("events")?;
        let mut builder = RingBufferBuilder::new();
        builder
            .add(map, |bytes: &[u8]| {
                receive(Record::parse(bytes));
                0
            })
            .map_err(Error::bpf("open the ring buffer"))?;
        let buffer = builder
            .build()
            .map_err(Error::bpf("open the ring buffer"))?;
        while !stop.load(Ordering::Acquire) {
            match buffer.poll(POLL_TIME) {
                Err(error) if error.kind() != libbpf_rs::ErrorKind::Interrupted => {
                    return Err(Error::bpf("poll the ring buffer")(error));
                }
                _ => {}
            }
        }
        buffer.consume().map_err(Error::bpf("read the ring buffer"))
    }
}
