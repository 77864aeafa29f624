//! The buffer's memory, seen through a window: mapped pages count as the daemon's own, and a
//! reader is at one place at a time.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::frame::{Frame, HEADER_BYTES};
use crate::kernel::error::Error;

/// Bytes of data that are mapped at once; more when one record needs them.
const WINDOW_BYTES: usize = 256 << 10;

/// The pages of one ring buffer, for as long as this lives.
pub(super) struct Mapping {
    map: OwnedFd,
    /// One page, writable.
    consumer: Pages,
    /// One page, read-only. The data follows it in the map, twice.
    producer: Pages,
    /// Pages of the data, read-only.
    window: Pages,
    /// Where the window begins in the data.
    window_start: usize,
    page_bytes: usize,
    data_bytes: usize,
}

impl Mapping {
    pub(super) fn new(map: BorrowedFd<'_>, size: u64) -> Result<Mapping, Error> {
        // SAFETY: sysconf reads a number and touches no memory of ours.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page_bytes = usize::try_from(page_bytes).unwrap_or(4096);
        let data_bytes = usize::try_from(size).ok().filter(|bytes| {
            bytes.is_power_of_two()
                && bytes.is_multiple_of(page_bytes)
                && *bytes <= isize::MAX as usize / 4
        });
        let Some(data_bytes) = data_bytes else {
            return Err(Error::Io {
                what: "map of the ring buffer",
                source: io::Error::from(io::ErrorKind::InvalidInput),
            });
        };
        let (read, write) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
        let window_bytes = WINDOW_BYTES.min(2 * data_bytes);
        Ok(Mapping {
            map: map.try_clone_to_owned().map_err(|source| Error::Io {
                what: "map of the ring buffer",
                source,
            })?,
            consumer: Pages::new(map, write, 0, page_bytes)?,
            producer: Pages::new(map, read, page_bytes, page_bytes)?,
            window: Pages::new(map, read, 2 * page_bytes, window_bytes)?,
            window_start: 0,
            page_bytes,
            data_bytes,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.data_bytes as u64
    }

    pub(super) fn consumer(&self) -> u64 {
        self.consumer.position().load(Ordering::Acquire)
    }

    pub(super) fn set_consumer(&self, position: u64) {
        // Whoever sees the position sees that the bytes before it were read.
        self.consumer.position().store(position, Ordering::Release);
    }

    pub(super) fn producer(&self) -> u64 {
        self.producer.position().load(Ordering::Acquire)
    }

    /// What lies at `position`, which is one that a walk has come to. What cannot be mapped now
    /// is nothing yet: it stays in the buffer.
    pub(super) fn frame(&mut self, position: u64) -> Frame {
        let producer = self.producer();
        if position >= producer || !self.show(position, HEADER_BYTES) {
            return Frame::Nothing;
        }
        // SAFETY: the window shows the whole header; frames begin at multiples of 8, so the word
        // is aligned. The kernel writes it atomically, and releases the record with it.
        let word = unsafe { AtomicU32::from_ptr(self.at(position).cast()) };
        let frame = Frame::at(position, producer, word.load(Ordering::Acquire));
        match frame {
            Frame::Record { start, length, .. } if !self.show(start, length) => Frame::Nothing,
            frame => frame,
        }
    }

    /// Length bytes at `start`: of the record that [`Mapping::frame`] told of last.
    pub(super) fn data(&self, start: u64, length: u64) -> &[u8] {
        assert!(self.is_shown(start, length), "a record within the window");
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: the window shows these bytes, and stays until the next `&mut self`. The kernel
        // does not write a record again before the consumer's position has passed it; `&self` and
        // the walk's order keep that from happening: positions are only set from
        // `&mut RingReader`.
        unsafe { std::slice::from_raw_parts(self.at(start).cast_const(), length) }
    }

    /// Moves the window if need be; false: the bytes cannot be mapped.
    fn show(&mut self, position: u64, length: u64) -> bool {
        if self.is_shown(position, length) {
            return true;
        }
        let offset = self.offset(position);
        let start = offset - offset % self.page_bytes;
        let Some(needed) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.data_bytes)
            .map(|length| (offset - start + length).next_multiple_of(self.page_bytes))
        else {
            return false;
        };
        // The data is there twice, so a window may pass the end of the first.
        let bytes = needed.max(WINDOW_BYTES).min(2 * self.data_bytes - start);
        let place = 2 * self.page_bytes + start;
        match Pages::new(self.map.as_fd(), libc::PROT_READ, place, bytes) {
            Ok(window) => {
                self.window = window;
                self.window_start = start;
                true
            }
            Err(error) => {
                tracing::error!(%error, "records wait in the ring buffer");
                false
            }
        }
    }

    fn is_shown(&self, position: u64, length: u64) -> bool {
        let offset = self.offset(position);
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| offset.checked_add(length));
        offset >= self.window_start
            && end.is_some_and(|end| end <= self.window_start + self.window.bytes)
    }

    /// Where a position lies in the data.
    fn offset(&self, position: u64) -> usize {
        usize::try_from(position & (self.size() - 1)).unwrap_or(0)
    }

    /// A byte that the window shows.
    fn at(&self, position: u64) -> *mut u8 {
        self.window.at(self.offset(position) - self.window_start)
    }
}

/// Pages of the map in our memory.
struct Pages {
    start: *mut u8,
    bytes: usize,
}

impl Pages {
    fn new(map: BorrowedFd<'_>, access: i32, offset: usize, bytes: usize) -> Result<Pages, Error> {
        let failed = |source| Error::Io {
            what: "map of the ring buffer",
            source,
        };
        let offset = libc::off_t::try_from(offset)
            .map_err(|_| failed(io::Error::from(io::ErrorKind::InvalidInput)))?;
        // SAFETY: the kernel chooses the place, so nothing of ours is mapped over.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                access,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(failed(io::Error::last_os_error()));
        }
        Ok(Pages {
            start: start.cast(),
            bytes,
        })
    }

    /// The position at the beginning.
    fn position(&self) -> &AtomicU64 {
        // SAFETY: a page is aligned and longer than 8 bytes, and lives as long as `self`. The
        // other side reads and writes the number atomically. The producer's is only loaded.
        unsafe { AtomicU64::from_ptr(self.start.cast()) }
    }

    /// `offset` is below `bytes`.
    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.bytes, "an offset within the mapping");
        // SAFETY: it stays within the mapping.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; nothing borrowed from it outlives `self`.
        let unmapped = unsafe { libc::munmap(self.start.cast(), self.bytes) };
        debug_assert_eq!(unmapped, 0);
    }
}

/// Waits until the kernel says that the buffer holds something, or `timeout` is over.
pub(super) fn poll(map: BorrowedFd<'_>, timeout: Duration) -> Result<(), Error> {
    let mut poll = libc::pollfd {
        fd: map.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // At least 1 ms: a shorter rest must not become a busy loop.
    let timeout_ms = i32::try_from(timeout.as_millis())
        .unwrap_or(i32::MAX)
        .max(1);
    // SAFETY: `poll` is one valid pollfd that lives through the call.
    let ready = unsafe { libc::poll(&raw mut poll, 1, timeout_ms) };
    let source = io::Error::last_os_error();
    if ready < 0 && source.kind() != io::ErrorKind::Interrupted {
        return Err(Error::Io {
            what: "poll of the ring buffer",
            source,
        });
    }
    Ok(())
}
