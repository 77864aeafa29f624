use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{check_order, folder, newest};
use crate::daemon::spool::chain::Chain;
use crate::daemon::spool::{Item, Limits, Spool};

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<usize>),
    Send(usize),
    Acknowledge,
    /// The daemon is killed between two batches.
    Kill,
    /// The daemon is killed, or power is lost, while it writes a batch: the end is missing.
    CutBatch(Vec<usize>, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0..300_usize, 0..5).prop_map(Step::Batch),
        2 => (1..20_usize).prop_map(Step::Send),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Kill),
        1 => (prop::collection::vec(0..300_usize, 0..5), any::<usize>())
            .prop_map(|(batch, at)| Step::CutBatch(batch, at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A server that takes what it is sent, through kills and power losses, holds every record
    /// of a whole batch once, in an unbroken chain, or a gap in its place. The mark is that of
    /// the last whole batch.
    #[test]
    fn whatever_happens_the_server_sees_one_unbroken_chain(steps in prop::collection::vec(step(), 1..120)) {
        let dir = folder();
        let limits = Limits { bytes_max: 8192, segment_bytes_max: 1024 };
        let mut spool = Spool::open(dir.path(), limits).unwrap();
        let mut last = 0;
        let mut mark = None;
        let mut server: Vec<Item> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Batch(lengths) => {
                    let events: Vec<Vec<u8>> = lengths.iter().map(|n| vec![*n as u8; *n]).collect();
                    last += events.len() as u64;
                    prop_assert_eq!(spool.commit(&events, &number.to_le_bytes()).unwrap(), last);
                    mark = Some(number.to_le_bytes().to_vec());
                }
                Step::Send(count) => {
                    let sent = last_of(server.last());
                    for item in spool.read(sent, count, usize::MAX).unwrap() {
                        let (sequence, chain) = end_of(&item);
                        spool.mark_sent(sequence, chain).unwrap();
                        server.push(item);
                    }
                }
                Step::Acknowledge => spool.acknowledge(last_of(server.last())).unwrap(),
                Step::Kill => {
                    drop(spool);
                    spool = Spool::open(dir.path(), limits).unwrap();
                }
                Step::CutBatch(lengths, at) => {
                    let (newest_before, bytes) = (newest(dir.path()), newest_length(dir.path()));
                    let events: Vec<Vec<u8>> = lengths.iter().map(|n| vec![*n as u8; *n]).collect();
                    spool.commit(&events, b"it was cut").unwrap();
                    drop(spool);
                    let start = if newest(dir.path()) == newest_before { bytes } else { 0 };
                    cut_newest(dir.path(), start, at);
                    spool = Spool::open(dir.path(), limits).unwrap();
                }
            }
            prop_assert_eq!(spool.status().last, last);
            prop_assert_eq!(spool.mark(), mark.clone());
        }
        server.extend(spool.read(last_of(server.last()), usize::MAX, usize::MAX).unwrap());
        prop_assert_eq!(check_order(&server, 0, Some(Chain::default())), last);
    }
}

fn end_of(item: &Item) -> (u64, Chain) {
    match item {
        Item::Record(record) => (record.sequence, record.chain),
        Item::Gap(gap) => (gap.last, gap.chain),
    }
}

fn last_of(item: Option<&Item>) -> u64 {
    item.map_or(0, |item| end_of(item).0)
}

fn newest_length(dir: &Path) -> u64 {
    fs::metadata(newest(dir)).unwrap().len()
}

/// Takes some of the newest file's end off, at least one byte of what follows `start`.
fn cut_newest(dir: &Path, start: u64, at: usize) {
    let path = newest(dir);
    let length = fs::metadata(&path).unwrap().len();
    let kept = start + at as u64 % (length - start);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(kept).unwrap();
}
