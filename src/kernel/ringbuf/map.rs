//! The buffer's memory.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::frame::Frame;
use crate::kernel::error::Error;

/// The pages of one ring buffer, for as long as this lives.
pub(super) struct Mapping {
    /// One page, writable.
    consumer: Pages,
    /// One page, then the data twice; read-only.
    producer: Pages,
    page_bytes: usize,
    size: u64,
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
        Ok(Mapping {
            consumer: Pages::new(map, write, 0, page_bytes)?,
            producer: Pages::new(map, read, page_bytes, page_bytes + 2 * data_bytes)?,
            page_bytes,
            size,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
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

    /// What lies at `position`, which is one that a walk has come to.
    pub(super) fn frame(&self, position: u64) -> Frame {
        let producer = self.producer();
        if position >= producer {
            return Frame::Nothing;
        }
        let offset = self.offset(position);
        // SAFETY: `offset` is below the data's size, within the mapping; frames begin at
        // multiples of 8, so the word is aligned. The kernel writes it atomically, and releases
        // the record with it.
        let word = unsafe { AtomicU32::from_ptr(self.producer.at(offset).cast()) };
        Frame::at(position, producer, word.load(Ordering::Acquire))
    }

    /// Bytes of a record that [`Mapping::frame`] has told of.
    pub(super) fn data(&self, start: u64, length: u64) -> &[u8] {
        let length = usize::try_from(length.min(self.size)).unwrap_or(0);
        // SAFETY: the start is below the data's size and the length at most that size, and the
        // data is mapped twice in a row. The kernel does not write a record again before the
        // consumer's position has passed it; `&self` and the walk's order keep that from
        // happening: positions are only set from `&mut RingReader`.
        unsafe {
            std::slice::from_raw_parts(self.producer.at(self.offset(start)).cast_const(), length)
        }
    }

    /// Where a position lies in the mapping that begins with the producer's page.
    fn offset(&self, position: u64) -> usize {
        self.page_bytes + usize::try_from(position & (self.size - 1)).unwrap_or(0)
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
