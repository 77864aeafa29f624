use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::chain::Chain;
use super::crc::crc32c;
use super::cursor::{Cursor, Position};
use super::retention::files_to_evict;
use super::segment::{ENTRY_HEADER_BYTES, HEADER_BYTES, Header};
use super::{Gap, GapCause, Item, Limits, Spool, SpoolError, Stored};

const ROOMY: Limits = Limits {
    bytes_max: 1 << 20,
    segment_bytes_max: 1 << 16,
};

/// In memory, where a sync costs nothing.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn open(dir: &Path) -> Spool {
    Spool::open(dir, ROOMY).unwrap()
}

/// Each event in a batch of its own; the mark is the number of the last.
fn fill(spool: &Spool, count: u64) {
    for _ in 0..count {
        batch(spool, 1);
    }
}

fn batch(spool: &Spool, count: u64) {
    let first = spool.status().last + 1;
    let last = first + count - 1;
    let events: Vec<String> = (first..=last).map(|n| format!("event {n}")).collect();
    let committed = spool.commit(&events, &last.to_le_bytes()).unwrap();
    assert_eq!(committed, last);
}

fn mark_of(spool: &Spool) -> Option<u64> {
    let bytes = spool.mark()?;
    Some(u64::from_le_bytes(bytes.try_into().unwrap()))
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
    let dir = folder();
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
fn acknowledged_records_leave_the_disk_and_numbers_go_on() {
    let dir = folder();
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
fn a_cut_at_every_byte_leaves_whole_batches_and_the_mark_of_the_last() {
    let dir = folder();
    let source = open(dir.path());
    let path = only_file(dir.path());
    // Length of the file after each batch, and its last record.
    let mut ends = vec![(0, None)];
    for count in [1, 3, 2, 5] {
        batch(&source, count);
        ends.push((
            fs::metadata(&path).unwrap().len(),
            Some(source.status().last),
        ));
    }
    let items = all(&source);
    drop(source);
    let whole = fs::read(&path).unwrap();
    let name = path.file_name().unwrap();
    for length in 0..=whole.len() {
        let dir = folder();
        fs::write(dir.path().join(name), &whole[..length]).unwrap();
        let (_, mark) = *ends.iter().rfind(|(end, _)| *end <= length as u64).unwrap();
        let left = mark.unwrap_or(0);
        let spool = open(dir.path());
        assert_eq!(mark_of(&spool), mark, "cut at {length}");
        assert_eq!(spool.status().last, left, "cut at {length}");
        assert_eq!(all(&spool), items[..left as usize]);
        batch(&spool, 2);
        assert_eq!(
            check_order(&all(&spool), 0, Some(Chain::default())),
            left + 2
        );
        drop(spool);
        assert_eq!(mark_of(&open(dir.path())), Some(left + 2));
    }
}

#[test]
fn a_cut_of_a_new_file_leaves_the_mark_of_the_one_before() {
    let dir = folder();
    let limits = Limits {
        bytes_max: 1 << 20,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(dir.path(), limits).unwrap();
    while newest(dir.path()) == dir.path().join(format!("{:020}.seg", 1)) {
        batch(&spool, 3);
    }
    let last = spool.status().last;
    drop(spool);
    let path = newest(dir.path());
    let whole = fs::read(&path).unwrap();
    let batch_bytes = 3 * (ENTRY_HEADER_BYTES + "event 10".len()) + ENTRY_HEADER_BYTES + 8;
    for length in 0..whole.len() {
        let other = folder();
        let first = dir.path().join(format!("{:020}.seg", 1));
        fs::copy(&first, other.path().join(first.file_name().unwrap())).unwrap();
        fs::write(
            other.path().join(path.file_name().unwrap()),
            &whole[..length],
        )
        .unwrap();
        let spool = Spool::open(other.path(), limits).unwrap();
        assert_eq!(spool.status().last, last - 3, "cut at {length}");
        assert_eq!(mark_of(&spool), Some(last - 3), "cut at {length}");
        batch(&spool, 3);
        assert_eq!(check_order(&all(&spool), 0, Some(Chain::default())), last);
    }
    assert_eq!(
        whole.len(),
        HEADER_BYTES + ENTRY_HEADER_BYTES + 8 + batch_bytes
    );
}

#[test]
fn a_flip_of_every_byte_costs_at_most_one_sent_record_and_never_a_number() {
    let source = folder();
    let spool = open(source.path());
    batch(&spool, 2);
    batch(&spool, 3);
    let Some(Item::Record(last)) = all(&spool).pop() else {
        panic!("a record was written")
    };
    spool.mark_sent(last.sequence, last.chain).unwrap();
    drop(spool);
    let file = only_file(source.path());
    let whole = fs::read(&file).unwrap();
    for place in 0..whole.len() {
        let dir = folder();
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        fs::write(dir.path().join(file.file_name().unwrap()), damaged).unwrap();
        fs::copy(source.path().join("cursor"), dir.path().join("cursor")).unwrap();
        let spool = open(dir.path());
        // A mark that is damaged leaves the one before.
        assert!(matches!(mark_of(&spool), Some(2 | 5)), "flip at {place}");
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
            u64::from(is_in_a_record(place)),
            "flip at {place}: {items:?}"
        );
    }
}

/// Two records and a mark, three records and a mark.
fn is_in_a_record(place: usize) -> bool {
    let (record, mark) = (ENTRY_HEADER_BYTES + 7, ENTRY_HEADER_BYTES + 8);
    let first = HEADER_BYTES..HEADER_BYTES + 2 * record;
    let second = first.end + mark..first.end + mark + 3 * record;
    first.contains(&place) || second.contains(&place)
}

#[test]
fn a_flip_of_every_byte_of_what_was_not_sent_never_makes_up_a_record() {
    let source = folder();
    let spool = open(source.path());
    batch(&spool, 2);
    batch(&spool, 3);
    let items = all(&spool);
    drop(spool);
    let file = only_file(source.path());
    let whole = fs::read(&file).unwrap();
    for place in 0..whole.len() {
        let dir = folder();
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        fs::write(dir.path().join(file.file_name().unwrap()), damaged).unwrap();
        let spool = open(dir.path());
        let (last, mark) = (spool.status().last, mark_of(&spool));
        assert_eq!(mark, Some(last), "flip at {place}");
        assert!(last == 2 || last == 5, "flip at {place}");
        for item in all(&spool) {
            assert!(
                matches!(item, Item::Gap(_)) || items.contains(&item),
                "flip at {place}"
            );
        }
        assert_eq!(check_order(&all(&spool), 0, Some(Chain::default())), last);
    }
}

#[test]
fn files_of_the_first_version_are_read_and_of_a_later_one_refused() {
    let dir = folder();
    fill(&open(dir.path()), 4);
    let path = only_file(dir.path());
    // The first version: no marks, every whole record counts.
    let mut old = Header {
        version: 1,
        first: 1,
        before: Chain::default(),
    }
    .encode()
    .to_vec();
    let whole = fs::read(&path).unwrap();
    let (record, mark) = (ENTRY_HEADER_BYTES + 7, ENTRY_HEADER_BYTES + 8);
    for n in 0..4 {
        let start = HEADER_BYTES + n * (record + mark);
        old.extend_from_slice(&whole[start..start + record]);
    }
    old.extend_from_slice(&whole[HEADER_BYTES..HEADER_BYTES + 20]);
    fs::write(&path, &old).unwrap();
    let spool = open(dir.path());
    assert_eq!((spool.status().last, spool.mark()), (4, None));
    batch(&spool, 3);
    assert_eq!(check_order(&all(&spool), 0, Some(Chain::default())), 7);
    drop(spool);
    let spool = open(dir.path());
    assert_eq!((spool.status().last, mark_of(&spool)), (7, Some(7)));
    assert_eq!(check_order(&all(&spool), 0, Some(Chain::default())), 7);
    drop(spool);

    let later = Header {
        version: 3,
        first: 8,
        before: Chain::default(),
    };
    let path = dir.path().join(format!("{:020}.seg", 8));
    fs::write(&path, later.encode()).unwrap();
    let refused = Spool::open(dir.path(), ROOMY).err().unwrap();
    assert!(matches!(refused, SpoolError::Version { version: 3, .. }));
    assert!(path.exists());
}

#[test]
fn a_batch_that_the_disk_refuses_leaves_the_spool_as_it_was() {
    let dir = folder();
    let (at, away) = (dir.path().join("spool"), dir.path().join("away"));
    let limits = Limits {
        bytes_max: 1 << 20,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(&at, limits).unwrap();
    batch(&spool, 50);
    let before = (spool.status(), spool.mark());
    // No file can be made in a folder that is not there.
    fs::rename(&at, &away).unwrap();
    for _ in 0..3 {
        spool.commit(&[[1; 1000]; 3], b"refused!").unwrap_err();
        assert_eq!((spool.status(), spool.mark()), before);
    }
    fs::rename(&away, &at).unwrap();
    batch(&spool, 50);
    assert_eq!(check_order(&all(&spool), 0, Some(Chain::default())), 100);
}

#[test]
fn a_cursor_with_any_byte_flipped_only_sends_again() {
    let dir = folder();
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
    let dir = folder();
    let limits = Limits {
        bytes_max: 32 * 1024,
        segment_bytes_max: 4096,
    };
    let spool = Spool::open(dir.path(), limits).unwrap();
    for _ in 0..500 {
        spool.commit(&[[7; 100]; 4], b"mark").unwrap();
        assert!(spool.status().bytes <= limits.bytes_max);
    }
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
    let dir = folder();
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
    let dir = folder();
    let spool = open(dir.path());
    fill(&spool, 8);
    let Item::Record(eighth) = all(&spool)[7].clone() else {
        panic!("nothing is missing yet")
    };
    spool.mark_sent(8, eighth.chain).unwrap();
    drop(spool);
    fs::remove_file(only_file(dir.path())).unwrap();
    let spool = open(dir.path());
    assert_eq!(spool.commit(&[b"ninth"], b"mark").unwrap(), 9);
    let items = all(&spool);
    assert_eq!(check_order(&items, 0, None), 9);
    let Item::Record(ninth) = &items[1] else {
        panic!("{items:?}")
    };
    assert_eq!(ninth.chain, eighth.chain.after(9, b"ninth"));
}

#[test]
fn an_event_too_long_is_refused_whole() {
    let dir = folder();
    let spool = open(dir.path());
    let long = vec![0; super::segment::EVENT_BYTES_MAX + 1];
    assert!(matches!(
        spool.commit(&[&long[..0], &long], b"mark"),
        Err(SpoolError::EventTooLong(_))
    ));
    assert_eq!((spool.status().last, spool.mark()), (0, None));
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
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

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

/// Takes some of the newest file's end off, at least one byte of what follows `start`.
fn cut_newest(dir: &Path, start: u64, at: usize) {
    let path = newest(dir);
    let length = fs::metadata(&path).unwrap().len();
    let kept = start + at as u64 % (length - start);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(kept).unwrap();
}
