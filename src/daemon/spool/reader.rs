//! Reading the spool in order, with what is missing told as gaps.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::chain::Chain;
use super::segment::{Entry, HEADER_BYTES, Walk};
use super::{Gap, GapCause, Inner, Item, Segment, SpoolError, Stored, io_error};

/// Where a read ended, so that the next one need not walk its file from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// First sequence of the file.
    file: u64,
    offset: u64,
    /// Next sequence, and the chain before it.
    next: u64,
    chain: Chain,
}

pub(super) fn read(
    inner: &mut Inner,
    after: u64,
    records_max: usize,
    bytes_max: usize,
) -> Result<Vec<Item>, SpoolError> {
    let mut reading = Reading {
        items: Vec::new(),
        bytes: 0,
        records_max,
        bytes_max,
        sent: (inner.position.sent, inner.position.sent_chain),
    };
    let mut next = after + 1;
    while next <= inner.last() && !reading.is_full() {
        let index = inner
            .files
            .iter()
            .rposition(|file| file.header.first <= next);
        let Some(index) = index else {
            let oldest = inner.files[0].header;
            reading.gap(next, oldest.first - 1, oldest.before, GapCause::Evicted);
            next = oldest.first;
            continue;
        };
        let start = inner
            .place
            .filter(|place| place.file == inner.files[index].header.first && place.next == next);
        let place = read_file(&inner.files[index], start, next, inner.last(), &mut reading)?;
        next = place.next.max(next);
        inner.place = Some(place);
        if reading.is_full() || next > inner.last() {
            break;
        }
        // The file ended early: what is missing up to the next file is damaged.
        match inner.files.get(index + 1) {
            Some(following) if following.header.first > next => {
                let header = following.header;
                reading.gap(next, header.first - 1, header.before, GapCause::Damaged);
                next = header.first;
            }
            Some(_) => {}
            None => {
                // Damaged while open: the numbers are used, the chain goes on after them.
                reading.gap(next, inner.last(), inner.chain, GapCause::Damaged);
                next = inner.next;
            }
        }
    }
    Ok(reading.items)
}

/// Reads one file from `start`, or from its beginning up to `next` without keeping anything.
fn read_file(
    segment: &Segment,
    start: Option<Place>,
    next: u64,
    last: u64,
    reading: &mut Reading,
) -> Result<Place, SpoolError> {
    let mut place = start.unwrap_or(Place {
        file: segment.header.first,
        offset: HEADER_BYTES as u64,
        next: segment.header.first,
        chain: segment.header.before,
    });
    let mut bytes = vec![0; segment.bytes.saturating_sub(place.offset) as usize];
    let file = File::open(&segment.path).map_err(io_error("open", &segment.path))?;
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], place.offset + length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) => return Err(io_error("read", &segment.path)(error)),
        }
    }
    let from = place.offset;
    for (end, entry) in Walk::new(&bytes[..length], 0, place.next) {
        let Entry::Record(record) = entry else {
            continue;
        };
        if reading.is_full() || record.sequence > last {
            break;
        }
        let after = record.after();
        if record.sequence >= next {
            let wanted = place.next.max(next);
            if record.sequence > wanted {
                reading.gap(
                    wanted,
                    record.sequence - 1,
                    record.before,
                    GapCause::Damaged,
                );
            }
            if record.sequence == place.next && record.before != place.chain {
                reading.gap(record.sequence, record.sequence, after, GapCause::Damaged);
            } else {
                reading.record(record.sequence, record.event, after);
            }
        }
        place.offset = from + end as u64;
        place.next = record.sequence + 1;
        place.chain = after;
    }
    Ok(place)
}

struct Reading {
    items: Vec<Item>,
    bytes: usize,
    records_max: usize,
    bytes_max: usize,
    /// Last sequence that may be on the server, and the chain after it.
    sent: (u64, Chain),
}

impl Reading {
    fn is_full(&self) -> bool {
        self.items.len() >= self.records_max || (self.bytes >= self.bytes_max && self.bytes > 0)
    }

    fn record(&mut self, sequence: u64, event: &[u8], chain: Chain) {
        self.bytes += event.len();
        self.items.push(Item::Record(Stored {
            sequence,
            event: event.to_vec(),
            chain,
        }));
    }

    /// A gap never spans what may be on the server and what cannot be: the first part keeps the
    /// number it had when it was sent, so the server sees nothing twice.
    fn gap(&mut self, first: u64, last: u64, chain: Chain, cause: GapCause) {
        let (sent, sent_chain) = self.sent;
        if first <= sent && sent < last {
            self.items.push(Item::Gap(Gap {
                first,
                last: sent,
                chain: sent_chain,
                cause,
            }));
            self.items.push(Item::Gap(Gap {
                first: sent + 1,
                last,
                chain,
                cause,
            }));
        } else {
            self.items.push(Item::Gap(Gap {
                first,
                last,
                chain,
                cause,
            }));
        }
    }
}
