use proptest::prelude::*;

use super::frame::{BUSY, DISCARDED, Frame};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Record(u32),
    Discarded(u32),
    Busy(u32),
}

impl Written {
    fn length(self) -> u32 {
        match self {
            Written::Record(length) | Written::Discarded(length) | Written::Busy(length) => length,
        }
    }

    fn word(self) -> u32 {
        match self {
            Written::Record(length) => length,
            Written::Discarded(length) => length | DISCARDED,
            Written::Busy(length) => length | BUSY,
        }
    }
}

/// What the kernel would write: a buffer of headers and bodies, each rounded to 8 bytes.
fn write(all: &[Written]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, written) in all.iter().enumerate() {
        bytes.extend_from_slice(&written.word().to_ne_bytes());
        bytes.extend_from_slice(&[0xee; 4]);
        bytes.extend((0..written.length()).map(|_| number as u8));
        bytes.resize(bytes.len().next_multiple_of(8), 0xdd);
    }
    bytes
}

/// Walks a plain buffer from its start: bodies, and where the walk stopped.
fn walk(bytes: &[u8], producer: u64) -> (Vec<Vec<u8>>, u64) {
    let (mut bodies, mut position) = (Vec::new(), 0);
    while position < producer {
        let at = position as usize;
        let word = u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        match Frame::at(position, producer, word) {
            Frame::Nothing => break,
            Frame::Discarded { end } => position = end,
            Frame::Record { start, length, end } => {
                bodies.push(bytes[start as usize..(start + length) as usize].to_vec());
                position = end;
            }
        }
    }
    (bodies, position)
}

#[test]
fn bits_and_rounding() {
    let at = |word| Frame::at(16, 64, word);
    let record = |length, end| Frame::Record {
        start: 24,
        length,
        end,
    };
    assert_eq!(at(0), record(0, 24));
    assert_eq!(at(1), record(1, 32));
    assert_eq!(at(8), record(8, 32));
    assert_eq!(at(9), record(9, 40));
    assert_eq!(at(9 | DISCARDED), Frame::Discarded { end: 40 });
    assert_eq!(at(9 | BUSY), Frame::Nothing);
    assert_eq!(at(40), record(40, 64));
    assert_eq!(at(41), Frame::Nothing, "longer than what was written");
    assert_eq!(at(u32::MAX >> 2), Frame::Nothing);
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        8 => (0..200_u32).prop_map(Written::Record),
        2 => (0..200_u32).prop_map(Written::Discarded),
        1 => (0..200_u32).prop_map(Written::Busy),
    ]
}

proptest! {
    /// A walk gives every record before the first busy one, whole and in order, and stops there.
    #[test]
    fn a_walk_stops_at_the_first_busy_record(all in prop::collection::vec(written(), 0..40)) {
        let bytes = write(&all);
        let done = all.iter().position(|w| matches!(w, Written::Busy(_))).unwrap_or(all.len());
        let expected: Vec<Vec<u8>> = all[..done]
            .iter()
            .enumerate()
            .filter(|(_, w)| matches!(w, Written::Record(_)))
            .map(|(number, w)| vec![number as u8; w.length() as usize])
            .collect();
        let (bodies, position) = walk(&bytes, bytes.len() as u64);
        prop_assert_eq!(bodies, expected);
        prop_assert_eq!(position as usize, write(&all[..done]).len());
    }

    /// Whatever the words say, nothing past the producer is ever read.
    #[test]
    fn no_word_leads_past_the_producer(position in (0..1_u64 << 40), room in 1..1_u64 << 30, word: u32) {
        let (position, producer) = (position * 8, position * 8 + room);
        match Frame::at(position, producer, word) {
            Frame::Nothing => {}
            Frame::Discarded { end } => prop_assert!(end > position && end <= producer),
            Frame::Record { start, length, end } => {
                prop_assert!(start + length <= end && end <= producer && end > position);
                prop_assert_eq!(end % 8, 0);
            }
        }
    }
}
