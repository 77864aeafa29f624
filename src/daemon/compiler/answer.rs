//! What the compiler answers: the length of a head, the head, the words of both automata, and the
//! cells as the kernel reads them. Numbers outside the head are little-endian, 4 bytes each.
//!
//! What is many is not in the head, so that the daemon holds each of them once.

use std::io::{self, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use crate::kernel::image::{cell_of_word, cell_word};
use crate::policy::compile::{CompileError, Compiled, IMAGE_WORDS_MAX, PackedCell};

/// A head holds labels and messages.
const HEAD_BYTES_MAX: u32 = 1 << 30;
/// Words that are read at once.
const PART_WORDS: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Head {
    outcome: Result<Compiled, CompileError>,
    path_words: u32,
    net_words: u32,
    cells: u32,
}

pub(super) fn write(
    to: &mut impl Write,
    mut outcome: Result<Compiled, CompileError>,
) -> io::Result<()> {
    let (mut paths, mut net, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    if let Ok(compiled) = &mut outcome {
        paths = std::mem::take(&mut compiled.paths.next);
        net = std::mem::take(&mut compiled.net.next);
        cells = std::mem::take(&mut compiled.cells);
    }
    let count = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let head = Head {
        outcome,
        path_words: count(paths.len())?,
        net_words: count(net.len())?,
        cells: count(cells.len())?,
    };
    let head = postcard::to_stdvec(&head).map_err(io::Error::other)?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&head)?;
    let words = paths.into_iter().chain(net);
    for word in words.chain(cells.into_iter().map(|cell| cell_word(cell.into()))) {
        to.write_all(&word.to_le_bytes())?;
    }
    to.flush()
}

/// Reads one answer, and no more than tables may have.
pub(super) fn read(from: impl Read) -> Result<Result<Compiled, CompileError>, String> {
    let mut from = BufReader::new(from);
    let length = read_words(&mut from, 1, Some)?[0];
    if length > HEAD_BYTES_MAX {
        return Err(format!("its head is to have {length} bytes"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes).map_err(said)?;
    let head: Head = postcard::from_bytes(&bytes).map_err(said)?;
    drop(bytes);
    let mut compiled = match head.outcome {
        Ok(compiled) => compiled,
        Err(refused) => return Ok(Err(refused)),
    };
    let (paths, net) = (head.path_words as usize, head.net_words as usize);
    let cells = head.cells as usize;
    if paths.saturating_add(net) > IMAGE_WORDS_MAX || cells > IMAGE_WORDS_MAX {
        return Err(format!(
            "its tables are to have {paths} and {net} words, and {cells} cells"
        ));
    }
    compiled.paths.next = read_words(&mut from, paths, Some)?;
    compiled.net.next = read_words(&mut from, net, Some)?;
    compiled.cells = read_words(&mut from, cells, |word| {
        cell_of_word(word).map(PackedCell::from)
    })?;
    if compiled.is_whole() {
        Ok(Ok(compiled))
    } else {
        Err("its tables lead out of themselves".to_owned())
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Reads so many words and makes something of each.
fn read_words<T>(
    from: &mut impl Read,
    count: usize,
    make: impl Fn(u32) -> Option<T>,
) -> Result<Vec<T>, String> {
    let mut made = Vec::with_capacity(count);
    let mut part = [0; 4 * PART_WORDS];
    while made.len() < count {
        let part = &mut part[..4 * PART_WORDS.min(count - made.len())];
        from.read_exact(part).map_err(said)?;
        let (fours, _) = part.as_chunks();
        for four in fours {
            let word = u32::from_le_bytes(*four);
            made.push(make(word).ok_or_else(|| format!("it holds a cell {word:#x}"))?);
        }
    }
    Ok(made)
}
