//! The spool's folder: finding, making and mending its files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::cursor::Cursor;
use super::segment::{Entry, HEADER_BYTES, Header, Mark, VERSION, VERSION_UNMARKED, Walk};
use super::{Inner, Limits, Segment, SpoolError, io_error};

pub(super) const CURSOR: &str = "cursor";
const SUFFIX: &str = ".seg";

/// Reads the folder and makes it ready for appending.
pub(super) fn open(dir: &Path, limits: Limits) -> Result<Inner, SpoolError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io_error("make the folder", dir))?;
    let cursor_path = dir.join(CURSOR);
    let (cursor, position) = Cursor::open(&cursor_path).map_err(io_error("open", &cursor_path))?;
    let mut files = Vec::new();
    let mut next = position.sent.max(position.acknowledged) + 1;
    for (first, path) in list(dir)? {
        match read_header(&path, first)? {
            Some(segment) => files.push(segment),
            // Nothing in it can be placed; its number is still never given again.
            None => fs::remove_file(&path).map_err(io_error("remove", &path))?,
        }
        next = next.max(first);
    }
    let Found {
        last,
        chain,
        mark,
        mut is_marked,
    } = find_end(&mut files, position.sent)?;
    let joins = last + 1 >= next;
    if joins {
        next = last + 1;
    }
    let chain = if !joins && position.sent + 1 == next {
        position.sent_chain
    } else {
        chain
    };
    let is_current = files
        .last()
        .is_some_and(|file| file.header.version == VERSION);
    if !joins || !is_current {
        // What was sent is gone from disk: go on after it, so that no number is used twice. Or
        // an earlier version wrote the file: it is read, and no more written.
        if files.last().is_some_and(|file| file.header.first == next) {
            remove(files.pop())?;
        }
        let (segment, _) = create(dir, next, chain, mark.as_deref())?;
        files.push(segment);
        is_marked = true;
    }
    let segment = files
        .last_mut()
        .expect("one was just made when there was none");
    // The file it stands in may go before the next batch is whole.
    let again = mark.as_deref().filter(|_| !is_marked).map(|bytes| Mark {
        last: next - 1,
        chain,
        bytes,
    });
    let writing = open_to_write(segment, again)?;
    Ok(Inner {
        dir: dir.to_owned(),
        limits,
        files,
        writing,
        next,
        chain,
        mark,
        has_refuse: false,
        cursor,
        position,
        place: None,
    })
}

/// Opens a file to append to, with a mark added.
fn open_to_write(segment: &mut Segment, mark: Option<Mark<'_>>) -> Result<File, SpoolError> {
    let path = &segment.path;
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(io_error("open", path))?;
    let mut bytes = Vec::new();
    if let Some(mark) = mark {
        mark.encode_to(&mut bytes);
    }
    file.write_all(&bytes)
        .and_then(|()| file.sync_data())
        .map_err(io_error("write", path))?;
    segment.bytes += bytes.len() as u64;
    Ok(file)
}

/// Where the spool ends.
#[derive(Default)]
struct Found {
    last: u64,
    chain: Chain,
    mark: Option<Vec<u8>>,
    /// The newest file has the mark in it. It has, but for one whose making was cut short.
    is_marked: bool,
}

/// Takes off what does not count of the newest file, and looks for the last mark.
fn find_end(files: &mut [Segment], sent: u64) -> Result<Found, SpoolError> {
    let Some((newest, older)) = files.split_last_mut() else {
        return Ok(Found::default());
    };
    let tail = read_tail(newest, sent)?;
    cut(newest, tail.end)?;
    let mut found = Found {
        last: tail.last,
        chain: tail.chain,
        is_marked: tail.mark.is_some(),
        mark: tail.mark,
    };
    for file in older.iter().rev() {
        if found.mark.is_some() {
            break;
        }
        found.mark = read_tail(file, sent)?.mark;
    }
    Ok(found)
}

/// Makes the file whose first record is `first`.
pub(super) fn create(
    dir: &Path,
    first: u64,
    before: Chain,
    mark: Option<&[u8]>,
) -> Result<(Segment, File), SpoolError> {
    let path = dir.join(format!("{first:020}{SUFFIX}"));
    let header = Header {
        version: VERSION,
        first,
        before,
    };
    let mut start = header.encode().to_vec();
    if let Some(bytes) = mark {
        let mark = Mark {
            last: first - 1,
            chain: before,
            bytes,
        };
        mark.encode_to(&mut start);
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_error("make", &path))?;
    file.set_len(0).map_err(io_error("empty", &path))?;
    file.write_all(&start).map_err(io_error("write", &path))?;
    file.sync_data().map_err(io_error("sync", &path))?;
    sync_dir(dir)?;
    Ok((
        Segment {
            path,
            header,
            bytes: start.len() as u64,
        },
        file,
    ))
}

fn sync_dir(dir: &Path) -> Result<(), SpoolError> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync", dir))
}

/// Files of the spool with the number in their name, in order.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(first) = number.and_then(|number| number.parse().ok()) {
            files.push((first, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// The file's header. A damaged one is taken from the first entry, which carries the same chain;
/// without one there is nothing to go on.
fn read_header(path: &Path, first: u64) -> Result<Option<Segment>, SpoolError> {
    let size = fs::metadata(path).map_err(io_error("read", path))?.len();
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut start))
        .map_err(io_error("read", path))?;
    let header = match Header::decode(&start) {
        Some(header) if !(VERSION_UNMARKED..=VERSION).contains(&header.version) => {
            return Err(SpoolError::Version {
                path: path.to_owned(),
                version: header.version,
            });
        }
        Some(header) if header.first == first => Some(header),
        _ => {
            let bytes = fs::read(path).map_err(io_error("read", path))?;
            Walk::new(&bytes, HEADER_BYTES.min(bytes.len()), first)
                .next()
                .map(|(_, entry)| {
                    let (first, before) = match entry {
                        Entry::Record(record) => (record.sequence, record.before),
                        Entry::Mark(mark) => (mark.last + 1, mark.chain),
                    };
                    Header {
                        version: VERSION,
                        first,
                        before,
                    }
                })
        }
    };
    Ok(header.map(|header| Segment {
        path: path.to_owned(),
        header,
        bytes: size,
    }))
}

/// What counts of a file.
struct Tail {
    /// Last record, and the chain after it.
    last: u64,
    chain: Chain,
    /// Where it ends in the file.
    end: usize,
    mark: Option<Vec<u8>>,
}

/// Everything up to the last mark counts, and what was sent: that was marked once, whatever has
/// become of the mark since.
fn read_tail(segment: &Segment, sent: u64) -> Result<Tail, SpoolError> {
    let bytes = fs::read(&segment.path).map_err(io_error("read", &segment.path))?;
    let header = segment.header;
    let mut tail = Tail {
        last: header.first - 1,
        chain: header.before,
        end: HEADER_BYTES.min(bytes.len()),
        mark: None,
    };
    for (end, entry) in Walk::new(&bytes, HEADER_BYTES, header.first) {
        match entry {
            Entry::Mark(mark) => {
                (tail.last, tail.chain, tail.end) = (mark.last, mark.chain, end);
                tail.mark = Some(mark.bytes.to_vec());
            }
            Entry::Record(record)
                if record.sequence <= sent || header.version == VERSION_UNMARKED =>
            {
                (tail.last, tail.chain, tail.end) = (record.sequence, record.after(), end);
            }
            Entry::Record(_) => {}
        }
    }
    Ok(tail)
}

fn cut(segment: &mut Segment, end: usize) -> Result<(), SpoolError> {
    let path = &segment.path;
    segment.bytes = end as u64;
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(io_error("open", path))?;
    file.set_len(segment.bytes)
        .and_then(|()| file.sync_data())
        .map_err(io_error("cut back", path))
}

fn remove(segment: Option<Segment>) -> Result<(), SpoolError> {
    match segment {
        Some(segment) => fs::remove_file(&segment.path).map_err(io_error("remove", &segment.path)),
        None => Ok(()),
    }
}
