//! The spool's folder: finding, making and mending its files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::cursor::Cursor;
use super::segment::{HEADER_BYTES, Header, Walk};
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
    let tail = match files.last_mut() {
        Some(segment) => Some(mend_tail(segment)?),
        None => None,
    };
    let (last, chain) = tail.unwrap_or_default();
    let joins = last + 1 >= next;
    if joins {
        next = last + 1;
    }
    if files.is_empty() || !joins {
        // What was sent is gone from disk: go on after it, so that no number is used twice.
        let chain = if position.sent + 1 == next {
            position.sent_chain
        } else {
            chain
        };
        let (segment, _) = create(dir, next, chain)?;
        files.push(segment);
    }
    let segment = files.last().expect("one was just made when there was none");
    let chain = if joins && last > 0 {
        chain
    } else {
        segment.header.before
    };
    let writing = OpenOptions::new()
        .append(true)
        .open(&segment.path)
        .map_err(io_error("open", &segment.path))?;
    writing
        .sync_data()
        .map_err(io_error("sync", &segment.path))?;
    Ok(Inner {
        dir: dir.to_owned(),
        limits,
        files,
        writing,
        next,
        chain,
        synced: next - 1,
        unsynced_bytes: 0,
        cursor,
        position,
        place: None,
    })
}

/// Makes the file whose first record is `first`.
pub(super) fn create(dir: &Path, first: u64, before: Chain) -> Result<(Segment, File), SpoolError> {
    let path = dir.join(format!("{first:020}{SUFFIX}"));
    let header = Header { first, before };
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_error("make", &path))?;
    file.set_len(0).map_err(io_error("empty", &path))?;
    file.write_all(&header.encode())
        .map_err(io_error("write", &path))?;
    file.sync_data().map_err(io_error("sync", &path))?;
    sync_dir(dir)?;
    Ok((
        Segment {
            path,
            header,
            bytes: HEADER_BYTES as u64,
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

/// The file's header. A damaged one is taken from the first record, which carries the same
/// chain; without one there is nothing to go on.
fn read_header(path: &Path, first: u64) -> Result<Option<Segment>, SpoolError> {
    let size = fs::metadata(path).map_err(io_error("read", path))?.len();
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut start))
        .map_err(io_error("read", path))?;
    let header = match Header::decode(&start) {
        Some(header) if header.first == first => Some(header),
        _ => {
            let bytes = fs::read(path).map_err(io_error("read", path))?;
            Walk::new(&bytes, HEADER_BYTES.min(bytes.len()), first)
                .next()
                .map(|(_, record)| Header {
                    first: record.sequence,
                    before: record.before,
                })
        }
    };
    Ok(header.map(|header| Segment {
        path: path.to_owned(),
        header,
        bytes: size,
    }))
}

/// Last record of the newest file and the chain after it; what follows it is taken off.
fn mend_tail(segment: &mut Segment) -> Result<(u64, Chain), SpoolError> {
    let path = segment.path.clone();
    let bytes = fs::read(&path).map_err(io_error("read", &path))?;
    let mut last = (segment.header.first - 1, segment.header.before);
    let mut end = HEADER_BYTES;
    for (record_end, record) in Walk::new(&bytes, HEADER_BYTES, segment.header.first) {
        last = (record.sequence, record.after());
        end = record_end;
    }
    if end < bytes.len() {
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        file.set_len(end as u64)
            .map_err(io_error("cut back", &path))?;
        file.sync_data().map_err(io_error("sync", &path))?;
    }
    segment.bytes = end as u64;
    Ok(last)
}
