//! What the eight bytes before a record say.

/// Bytes of a header: length and flags, and an offset that only the kernel needs.
pub(super) const HEADER_BYTES: u64 = 8;
/// `BPF_RINGBUF_BUSY_BIT`: the record is being written.
pub(super) const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: its writer gave it up.
pub(super) const DISCARDED: u32 = 1 << 30;

/// What lies at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Nothing that is complete.
    Nothing,
    /// To be passed over.
    Discarded { end: u64 },
    /// `length` bytes at the position `start`; the next frame is at `end`.
    Record { start: u64, length: u64, end: u64 },
}

impl Frame {
    /// The frame at `position`, given the first word of its header. A length that passes
    /// `producer` is none that the kernel wrote: nothing is read of it.
    pub(super) fn at(position: u64, producer: u64, word: u32) -> Frame {
        let length = u64::from(word & !(BUSY | DISCARDED));
        let end = position + (HEADER_BYTES + length).next_multiple_of(8);
        if word & BUSY != 0 || end > producer {
            Frame::Nothing
        } else if word & DISCARDED != 0 {
            Frame::Discarded { end }
        } else {
            Frame::Record {
                start: position + HEADER_BYTES,
                length,
                end,
            }
        }
    }
}
