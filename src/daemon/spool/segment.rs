//! One file of the spool: bytes in, records and marks out. Nothing here touches a file.
//!
//! ```text
//! file:    header, mark in force, then entries without padding
//! header:  magic "TYRSPOOL" | version u32 | first sequence u64 | chain before it [32] | crc u32
//! record:  length of event u32 | crc u32 | sequence u64 | chain before it [32] | event
//! mark:    length u32, top bit set | crc u32 | last sequence u64 | chain after it [32] | bytes
//! ```
//!
//! Numbers are little endian; a checksum covers everything of its part but itself. Every record
//! carries the chain before it, so one that is damaged takes no other record with it. A mark
//! closes all records before it: without it they do not count. Version 1 had no marks.

use super::chain::Chain;
use super::crc::crc32c;

pub const HEADER_BYTES: usize = 56;
pub const ENTRY_HEADER_BYTES: usize = 48;
/// Longest event; longer ones are refused, so a damaged length cannot ask for memory.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Longest mark.
pub const MARK_BYTES_MAX: usize = EVENT_BYTES_MAX;

const MAGIC: &[u8; 8] = b"TYRSPOOL";
/// Version without marks, which can still be read: every whole record in it counts.
pub const VERSION_UNMARKED: u32 = 1;
pub const VERSION: u32 = 2;
const MARK_BIT: u32 = 1 << 31;

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub version: u32,
    pub first: u64,
    /// Chain before the record `first`.
    pub before: Chain,
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..52].copy_from_slice(&self.before.0);
        let crc = crc32c(0, &bytes[..52]);
        bytes[52..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` when the bytes are not a whole, undamaged header. It may be of any version.
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let crc = u32::from_le_bytes(array(&bytes[52..]));
        if &bytes[..8] != MAGIC || crc32c(0, &bytes[..52]) != crc {
            return None;
        }
        Some(Header {
            version: u32::from_le_bytes(array(&bytes[8..12])),
            first: u64::from_le_bytes(array(&bytes[12..20])),
            before: Chain(array(&bytes[20..52])),
        })
    }
}

/// What follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    Record(Record<'a>),
    Mark(Mark<'a>),
}

/// A record as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub sequence: u64,
    /// Chain before this record.
    pub before: Chain,
    pub event: &'a [u8],
}

/// The end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Last record before the mark; 0: none was ever written.
    pub last: u64,
    /// Chain after that record.
    pub chain: Chain,
    pub bytes: &'a [u8],
}

impl Record<'_> {
    pub fn encode_to(&self, bytes: &mut Vec<u8>) {
        encode(bytes, 0, self.sequence, self.before, self.event);
    }

    pub fn after(&self) -> Chain {
        self.before.after(self.sequence, self.event)
    }
}

impl Mark<'_> {
    pub fn encode_to(&self, bytes: &mut Vec<u8>) {
        encode(bytes, MARK_BIT, self.last, self.chain, self.bytes);
    }
}

fn encode(bytes: &mut Vec<u8>, bit: u32, sequence: u64, chain: Chain, content: &[u8]) {
    let start = bytes.len();
    let length = (content.len() as u32 | bit).to_le_bytes();
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&chain.0);
    bytes.extend_from_slice(content);
    let crc = crc32c(crc32c(0, &length), &bytes[start + 8..]);
    bytes[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

impl<'a> Entry<'a> {
    /// `None` when the bytes do not begin with a whole, undamaged entry.
    pub fn decode(bytes: &'a [u8]) -> Option<Entry<'a>> {
        let header = bytes.get(..ENTRY_HEADER_BYTES)?;
        let length = u32::from_le_bytes(array(&header[..4]));
        let (is_mark, length) = (length & MARK_BIT != 0, (length & !MARK_BIT) as usize);
        if length > EVENT_BYTES_MAX {
            return None;
        }
        let whole = bytes.get(..ENTRY_HEADER_BYTES + length)?;
        let crc = u32::from_le_bytes(array(&whole[4..8]));
        if crc32c(crc32c(0, &whole[..4]), &whole[8..]) != crc {
            return None;
        }
        let sequence = u64::from_le_bytes(array(&whole[8..16]));
        let chain = Chain(array(&whole[16..48]));
        let content = &whole[ENTRY_HEADER_BYTES..];
        Some(if is_mark {
            Entry::Mark(Mark {
                last: sequence,
                chain,
                bytes: content,
            })
        } else {
            Entry::Record(Record {
                sequence,
                before: chain,
                event: content,
            })
        })
    }

    /// Bytes of the entry in the file.
    pub fn size(&self) -> usize {
        let content = match self {
            Entry::Record(record) => record.event,
            Entry::Mark(mark) => mark.bytes,
        };
        ENTRY_HEADER_BYTES + content.len()
    }

    /// Sequence of the first record that can follow.
    fn next(&self) -> u64 {
        match self {
            Entry::Record(record) => record.sequence + 1,
            Entry::Mark(mark) => mark.last + 1,
        }
    }
}

/// Entries of `bytes` from `offset` on, each with the offset where it ends. Damaged bytes are
/// skipped: an entry counts only when its checksum holds and its sequence is one that the place
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
    type Item = (usize, Entry<'a>);

    fn next(&mut self) -> Option<(usize, Entry<'a>)> {
        let end = self.bytes.len();
        while self.offset + ENTRY_HEADER_BYTES <= end {
            let rest = &self.bytes[self.offset..];
            let sequence = u64::from_le_bytes(array(&rest[8..16]));
            // A record is at least a header long, so the bytes left bound what can follow.
            let sequence_max = self.expected
                + (rest.len() / ENTRY_HEADER_BYTES) as u64
                + (self.offset / ENTRY_HEADER_BYTES) as u64;
            // A mark has the number of the record before it.
            if (self.expected.saturating_sub(1)..=sequence_max).contains(&sequence)
                && let Some(entry) = Entry::decode(rest)
                && entry.next()
                    > self
                        .expected
                        .saturating_sub(u64::from(matches!(entry, Entry::Mark(_))))
            {
                self.offset += entry.size();
                self.expected = entry.next();
                return Some((self.offset, entry));
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
