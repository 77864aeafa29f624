use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::chain::Chain;
use super::crc::crc32c;
use super::cursor::{Cursor, Position};
use super::retention::files_to_evict;
use super::segment::{HEADER_BYTES, RECORD_HEADER_BYTES};
use super::{Gap, GapCause, Item, Limits, Spool, SpoolError, Stored};

const ROOMY: Limits = Limits {
    bytes_max: 1 << 20,
    segment_bytes_max: 1 << 16,
};

fn open(dir: &Path) -> Spool {
    Spool::open(dir, ROOMY).unwrap()
}

fn fill(spool: &Spool, count: u64) {
    for _ in 0..count {
        let sequence = spool.status().last + 1;
        assert_eq!(
            spool
                .append(format!("event {sequence}").as_bytes())
                .unwrap(),
            sequence
        );
    }
    spool.sync().unwrap();
}

fn all(spool: &Spool) -> Vec<Item> {
    spool
        .read(spool.status().acknowledged, usize::MAX, usize::MAX)
        .unwrap()
}

/// Checks that items follow `after` without a hole and that their chain holds, gaps aside.
#[track_caller]
fn check_order(items: &[Item], after: u64, mut chain: Option<Chain>) -> u64 {
    let mut last = after;
    for item in items {
        match item {
            Item::Record(Stored {
                sequence,
                event,
                chain: own,
            }) => {
                assert_eq!(*sequence, last + 1);
                if let Some(before) = chain {
                    assert_eq!(before.after(*sequence, event), *own, "chain of {sequence}");
                }
                last = *sequence;
                chain = Some(*own);
            }
            Item::Gap(gap) => {
                assert_eq!(gap.first, last + 1);
                assert!(gap.last >= gap.first);
                last = gap.last;
                chain = Some(gap.chain);
            }
        }
    }
    last
}

fn only_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
        .collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

#[test]
fn checksum_is_castagnoli() {
    // The check value of CRC-32C in RFC 3720 terms: "123456789".
    assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(crc32c(0, b"1234"), b"56789"), 0xe306_9283);
}

#[test]
fn records_come_back_in_order_and_chained() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    fill(&spool, 300);
    let items = all(&spool);
    assert_eq!(items.len(), 300);
    assert_eq!(check_order(&items, 0, Some(Chain::default())), 300);
    let pages: Vec<Item> = (0..30)
        .flat_map(|page| spool.read(page * 10, 10, usize::MAX).unwrap())
        .collect();
    assert_eq!(pages, items);
}

#[test]
fn only_synced_records_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    fill(&spool, 2);
    spool.append(b"third").unwrap();
    assert_eq!(all(&spool).len(), 2);
    assert!(spool.unsynced_bytes() > 0);
    spool.sync().unwrap();
    assert_eq!(all(&spool).len(), 3);
    assert_eq!(spool.unsynced_bytes(), 0);
}

#[test]
fn acknowledged_records_leave_the_disk_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        bytes_max: 1 << 20,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(dir.path(), limits).unwrap();
    fill(&spool, 500);
    let items = all(&spool);
    let Item::Record(record) = &items[449] else {
        panic!("no gap was made")
    };
    let before = spool.status().bytes;
    spool.acknowledge(450).unwrap();
    assert_eq!(
        spool.status().acknowledged,
        0,
        "a number that was not sent is not believed"
    );
    spool.mark_sent(record.sequence, record.chain).unwrap();
    spool.acknowledge(450).unwrap();
    assert!(spool.status().bytes < before / 2);
    drop(spool);
    let spool = Spool::open(dir.path(), limits).unwrap();
    assert_eq!(spool.status().acknowledged, 450);
    fill(&spool, 10);
    assert_eq!(check_order(&all(&spool), 450, Some(record.chain)), 510);
}

#[test]
fn a_cut_at_every_byte_loses_only_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()), 6);
    let path = only_file(dir.path());
    let whole = fs::read(&path).unwrap();
    let record_bytes = RECORD_HEADER_BYTES + "event 1".len();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let spool = open(dir.path());
        let left = (length.saturating_sub(HEADER_BYTES) / record_bytes) as u64;
        assert_eq!(spool.status().last, left, "cut at {length}");
        fill(&spool, 1);
        assert_eq!(
            check_order(&all(&spool), 0, Some(Chain::default())),
            left + 1
        );
        drop(spool);
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
        fill(&open(dir.path()), 6);
    }
}

#[test]
fn a_flip_of_every_byte_costs_at_most_one_record_and_never_a_number() {
    let source = tempfile::tempdir().unwrap();
    let spool = open(source.path());
    fill(&spool, 5);
    let Some(Item::Record(last)) = all(&spool).pop() else {
        panic!("a record was written")
    };
    spool.mark_sent(last.sequence, last.chain).unwrap();
    drop(spool);
    let file = only_file(source.path());
    let whole = fs::read(&file).unwrap();
    for place in 0..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        fs::write(dir.path().join(file.file_name().unwrap()), damaged).unwrap();
        fs::copy(source.path().join("cursor"), dir.path().join("cursor")).unwrap();
        let spool = open(dir.path());
        fill(&spool, 2);
        let items = all(&spool);
        assert_eq!(
            check_order(&items, 0, Some(Chain::default())),
            7,
            "flip at {place}: {items:?}"
        );
        let lost: u64 = items
            .iter()
            .map(|item| match item {
                Item::Gap(Gap {
                    first, last, cause, ..
                }) => {
                    assert_eq!(*cause, GapCause::Damaged);
                    last - first + 1
                }
                Item::Record(_) => 0,
            })
            .sum();
        assert_eq!(
            lost,
            u64::from(place >= HEADER_BYTES),
            "flip at {place}: {items:?}"
        );
    }
}

#[test]
fn a_cursor_with_any_byte_flipped_only_sends_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cursor");
    let position = |n: u64| Position {
        acknowledged: n,
        sent: n + 5,
        ..Position::default()
    };
    let (mut cursor, found) = Cursor::open(&path).unwrap();
    assert_eq!(found, Position::default());
    for n in 1..=4 {
        cursor.save(position(n), true).unwrap();
    }
    let whole = fs::read(&path).unwrap();
    assert_eq!(Cursor::open(&path).unwrap().1, position(4));
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&path, damaged).unwrap();
        let found = Cursor::open(&path).unwrap().1;
        assert!(
            found == position(4) || found == position(3),
            "flip at {place}: {found:?}"
        );
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let found = Cursor::open(&path).unwrap().1;
        assert!(found.acknowledged <= 4, "cut at {length}");
    }
}

#[test]
fn a_full_spool_drops_the_oldest_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        bytes_max: 32 * 1024,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(dir.path(), limits).unwrap();
    for _ in 0..2000 {
        spool.append(&[7; 100]).unwrap();
        assert!(spool.status().bytes <= limits.bytes_max);
    }
    spool.sync().unwrap();
    let items = all(&spool);
    let Item::Gap(gap) = &items[0] else {
        panic!("the oldest must be missing")
    };
    assert_eq!((gap.first, gap.cause), (1, GapCause::Evicted));
    assert_eq!(spool.status().evicted, gap.last);
    assert_eq!(check_order(&items, 0, None), 2000);
    drop(spool);
    let again = Spool::open(dir.path(), limits).unwrap();
    assert_eq!(again.status().evicted, gap.last);
    assert_eq!(all(&again), items);
}

#[test]
fn a_gap_keeps_the_number_that_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        bytes_max: 16 * 1024,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(dir.path(), limits).unwrap();
    fill(&spool, 10);
    let Item::Record(tenth) = all(&spool)[9].clone() else {
        panic!("nothing is missing yet")
    };
    spool.mark_sent(10, tenth.chain).unwrap();
    fill(&spool, 990);
    let items = all(&spool);
    assert_eq!(
        items[0],
        Item::Gap(Gap {
            first: 1,
            last: 10,
            chain: tenth.chain,
            cause: GapCause::Evicted
        })
    );
    assert_eq!(check_order(&items, 0, None), 1000);
}

#[test]
fn a_sent_number_is_not_given_again_when_the_files_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    fill(&spool, 8);
    let Item::Record(eighth) = all(&spool)[7].clone() else {
        panic!("nothing is missing yet")
    };
    spool.mark_sent(8, eighth.chain).unwrap();
    drop(spool);
    fs::remove_file(only_file(dir.path())).unwrap();
    let spool = open(dir.path());
    assert_eq!(spool.append(b"ninth").unwrap(), 9);
    spool.sync().unwrap();
    let items = all(&spool);
    assert_eq!(check_order(&items, 0, None), 9);
    let Item::Record(ninth) = &items[1] else {
        panic!("{items:?}")
    };
    assert_eq!(ninth.chain, eighth.chain.after(9, b"ninth"));
}

#[test]
fn an_event_too_long_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let long = vec![0; super::segment::EVENT_BYTES_MAX + 1];
    assert!(matches!(
        spool.append(&long),
        Err(SpoolError::EventTooLong(_))
    ));
    fill(&spool, 1);
    assert_eq!(all(&spool).len(), 1);
}

#[test]
fn eviction_stops_at_the_low_water_mark() {
    assert_eq!(files_to_evict(&[10, 10, 10], 10, 40), 0);
    assert_eq!(files_to_evict(&[100, 100, 100], 701, 1000), 2);
    assert_eq!(files_to_evict(&[100], 2000, 1000), 1);
    assert_eq!(files_to_evict(&[], 2000, 1000), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Send(usize),
    Acknowledge,
    /// The daemon is killed: what was written stays, nothing is flushed.
    Kill,
    /// Power is lost: bytes after the last sync are cut at some place.
    PowerLoss(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..300_usize).prop_map(Step::Append),
        2 => Just(Step::Sync),
        2 => (1..20_usize).prop_map(Step::Send),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Kill),
        1 => any::<usize>().prop_map(Step::PowerLoss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A server that takes what it is sent, through kills and power losses, holds every synced
    /// record once, in an unbroken chain, or a gap in its place.
    #[test]
    fn whatever_happens_the_server_sees_one_unbroken_chain(steps in prop::collection::vec(step(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { bytes_max: 8192, segment_bytes_max: 1024 };
        let mut spool = Spool::open(dir.path(), limits).unwrap();
        let mut synced_bytes = 0;
        let mut server: Vec<Item> = Vec::new();
        for step in steps {
            match step {
                Step::Append(length) => {
                    spool.append(&vec![length as u8; length]).unwrap();
                }
                Step::Sync => spool.sync().unwrap(),
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
                Step::PowerLoss(at) => {
                    drop(spool);
                    cut_unsynced(dir.path(), synced_bytes, at);
                    spool = Spool::open(dir.path(), limits).unwrap();
                }
            }
            if spool.unsynced_bytes() == 0 {
                synced_bytes = newest_length(dir.path());
            }
        }
        spool.sync().unwrap();
        server.extend(spool.read(last_of(server.last()), usize::MAX, usize::MAX).unwrap());
        prop_assert_eq!(check_order(&server, 0, Some(Chain::default())), spool.status().last);
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

fn newest(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
        .collect();
    files.sort();
    files.pop().unwrap()
}

fn newest_length(dir: &Path) -> u64 {
    fs::metadata(newest(dir)).unwrap().len()
}

fn cut_unsynced(dir: &Path, synced: u64, at: usize) {
    let path = newest(dir);
    let length = fs::metadata(&path).unwrap().len();
    if length > synced {
        let kept = synced + at as u64 % (length - synced);
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(kept)
            .unwrap();
    }
}
