//! One file of the spool: bytes in, records out. Nothing here touches a file.
//!
//! ```text
//! file:    header, then records without padding
//! header:  magic "TYRSPOOL" | version u32 | first sequence u64 | chain before it [32] | crc u32
//! record:  length of event u32 | crc u32 | sequence u64 | chain before it [32] | event
//! ```
//!
//! Numbers are little endian; a checksum covers everything of its part but itself. Every record
//! carries the chain before it, so one that is damaged takes no other record with it.

use super::chain::Chain;
use super::crc::crc32c;

pub const HEADER_BYTES: usize = 56;
pub const RECORD_HEADER_BYTES: usize = 48;
/// Longest event; longer ones are refused, so a damaged length cannot ask for memory.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

const MAGIC: &[u8; 8] = b"TYRSPOOL";
const VERSION: u32 = 1;

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub first: u64,
    /// Chain before the record `first`.
    pub before: Chain,
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..52].copy_from_slice(&self.before.0);
        let crc = crc32c(0, &bytes[..52]);
        bytes[52..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` when the bytes are not a whole, undamaged header of this version.
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let crc = u32::from_le_bytes(array(&bytes[52..]));
        let version = u32::from_le_bytes(array(&bytes[8..12]));
        if &bytes[..8] != MAGIC || version != VERSION || crc32c(0, &bytes[..52]) != crc {
            return None;
        }
        let first = u64::from_le_bytes(array(&bytes[12..20]));
        Some(Header {
            first,
            before: Chain(array(&bytes[20..52])),
        })
    }
}

/// A record as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub sequence: u64,
    /// Chain before this record.
    pub before: Chain,
    pub event: &'a [u8],
}

impl<'a> Record<'a> {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES + self.event.len());
        let length = (self.event.len() as u32).to_le_bytes();
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.before.0);
        bytes.extend_from_slice(self.event);
        let crc = crc32c(crc32c(0, &length), &bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` when the bytes do not begin with a whole, undamaged record.
    pub fn decode(bytes: &'a [u8]) -> Option<Record<'a>> {
        let header = bytes.get(..RECORD_HEADER_BYTES)?;
        let length = u32::from_le_bytes(array(&header[..4])) as usize;
        if length > EVENT_BYTES_MAX {
            return None;
        }
        let whole = bytes.get(..RECORD_HEADER_BYTES + length)?;
        let crc = u32::from_le_bytes(array(&whole[4..8]));
        if crc32c(crc32c(0, &whole[..4]), &whole[8..]) != crc {
            return None;
        }
        Some(Record {
            sequence: u64::from_le_bytes(array(&whole[8..16])),
            before: Chain(array(&whole[16..48])),
            event: &whole[RECORD_HEADER_BYTES..],
        })
    }

    /// Bytes of the record in the file.
    pub fn size(&self) -> usize {
        RECORD_HEADER_BYTES + self.event.len()
    }

    pub fn after(&self) -> Chain {
        self.before.after(self.sequence, self.event)
    }
}

/// Records of `bytes` from `offset` on, each with the offset where it ends. Damaged bytes are
/// skipped: a record counts only when its checksum holds and its sequence is one that the place
/// can have, at least `expected` and rising.
pub struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
    expected: u64,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8], offset: usize, expected: u64) -> Walk<'a> {
        Walk {
            bytes,
            offset,
            expected,
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (usize, Record<'a>);

    fn next(&mut self) -> Option<(usize, Record<'a>)> {
        let end = self.bytes.len();
        while self.offset + RECORD_HEADER_BYTES <= end {
            let rest = &self.bytes[self.offset..];
            let sequence = u64::from_le_bytes(array(&rest[8..16]));
            // A record is at least a header long, so the bytes left bound what can follow.
            let sequence_max = self.expected
                + (rest.len() / RECORD_HEADER_BYTES) as u64
                + (self.offset / RECORD_HEADER_BYTES) as u64;
            if (self.expected..=sequence_max).contains(&sequence)
                && let Some(record) = Record::decode(rest)
            {
                self.offset += record.size();
                self.expected = record.sequence + 1;
                return Some((self.offset, record));
            }
            self.offset += 1;
        }
        None
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}
