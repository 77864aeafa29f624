//! Reading the ring buffer, by our own hand: libbpf gives a record back as soon as it was shown,
//! and ours are given back when they are on disk.
//!
//! The layout is that of Documentation/bpf/ringbuf.rst and kernel/bpf/ringbuf.c: a page with the
//! consumer's position, a page with the producer's, and the data, mapped twice in a row so that
//! no record is divided. Positions count bytes since the map was made and never go back.

mod frame;
mod map;

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libbpf_rs::{MapCore, MapHandle};

use super::error::Error;
use super::load::Programs;
use super::record::{BadRecord, Record};
use frame::Frame;
use map::Mapping;

/// How long a reader sleeps before it looks at `stop`.
const POLL_TIME: Duration = Duration::from_millis(100);
/// The kernel wakes a reader only when everything before was given back; while something is
/// kept, the reader looks this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A reader that walks ahead and gives back when told. Only one may be on a host at a time.
pub struct RingReader {
    mapping: Mapping,
    map: MapHandle,
    identity: u32,
    /// Up to here was walked; at least the consumer's position.
    position: u64,
}

impl RingReader {
    /// The `events` of the programs.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be mapped into memory.
    pub fn open(programs: &Programs) -> Result<RingReader, Error> {
        RingReader::of_map(programs.attached()?.map("events")?)
    }

    /// # Errors
    /// It is no ring buffer, or cannot be mapped into memory.
    pub fn of_map(map: &MapHandle) -> Result<RingReader, Error> {
        let map = MapHandle::try_from(map).map_err(Error::bpf("hold the ring buffer"))?;
        let info = map
            .info()
            .map_err(Error::bpf("ask about the ring buffer"))?
            .info;
        let mapping = Mapping::new(map.as_fd(), u64::from(info.max_entries))?;
        let position = mapping.consumer();
        Ok(RingReader {
            mapping,
            map,
            identity: info.id,
            position,
        })
    }

    /// Number of the map, which no other map of this boot has.
    pub fn identity(&self) -> u32 {
        self.identity
    }

    /// Most bytes that fit.
    pub fn size(&self) -> u64 {
        self.mapping.size()
    }

    /// Bytes that were not given back yet, walked or not. When they reach the size, the kernel
    /// loses records and counts them.
    pub fn pending_bytes(&self) -> u64 {
        self.mapping
            .producer()
            .saturating_sub(self.mapping.consumer())
    }

    /// Where the walk is.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits until there is a record to walk to, or `timeout` is over; tells which.
    ///
    /// # Errors
    /// poll(2) fails.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        let end = Instant::now() + timeout;
        loop {
            if self.mapping.frame(self.position) != Frame::Nothing {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if self.pending_bytes() == 0 {
                map::poll(self.map.as_fd(), left)?;
            } else {
                std::thread::sleep(left.min(LOOK_INTERVAL));
            }
        }
    }

    /// The next record and the position after it; `None`: nothing more is written yet. The bytes
    /// stay in the buffer.
    #[expect(clippy::should_implement_trait, reason = "after `None` more may come")]
    pub fn next(&mut self) -> Option<(u64, Result<Record, BadRecord>)> {
        loop {
            match self.mapping.frame(self.position) {
                Frame::Nothing => return None,
                Frame::Discarded { end } => self.position = end,
                Frame::Record { start, length, end } => {
                    let record = Record::parse(self.mapping.data(start, length));
                    self.position = end;
                    return Some((end, record));
                }
            }
        }
    }

    /// Walks on from `position`, where it lies ahead and inside the buffer. Nothing is given back.
    pub(super) fn pass_over(&mut self, position: u64) {
        if position <= self.mapping.producer() {
            self.position = self.position.max(position);
        }
    }

    /// Gives back everything before `position`. One that is behind what was given back already
    /// changes nothing; one ahead of the walk moves the walk there. One that the kernel has not
    /// reached is not of this buffer, and is not believed.
    pub fn commit(&mut self, position: u64) {
        if position > self.mapping.consumer() && position <= self.mapping.producer() {
            self.mapping.set_consumer(position);
            self.position = self.position.max(position);
        }
    }
}

impl Programs {
    /// Hands every record to `receive` until `stop` is set; then what is left, and returns. Runs
    /// on the calling thread, and gives each record back when it was received. Only one reader at
    /// a time may run on a host.
    ///
    /// # Errors
    /// Nothing is attached, or the ring buffer cannot be polled.
    pub fn records(
        &self,
        stop: &AtomicBool,
        mut receive: impl FnMut(Result<Record, BadRecord>),
    ) -> Result<(), Error> {
        let mut reader = RingReader::open(self)?;
        loop {
            let is_last = stop.load(Ordering::Acquire);
            while let Some((position, record)) = reader.next() {
                receive(record);
                reader.commit(position);
            }
            if is_last {
                return Ok(());
            }
            let position = reader.position();
            reader.commit(position);
            reader.wait(POLL_TIME)?;
        }
    }
}

#[cfg(test)]
mod tests;
