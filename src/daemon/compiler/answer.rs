//! What the compiler answers: the length of a head, the head, and the words of both automata.
//! Numbers outside the head are little-endian, 4 bytes each.

use std::io::{self, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use crate::policy::compile::{CompileError, Compiled, IMAGE_WORDS_MAX};

/// A head holds no automaton: cells, labels and messages.
const HEAD_BYTES_MAX: u32 = 1 << 30;
/// Words that are read at once.
const PART_WORDS: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Head {
    outcome: Result<Compiled, CompileError>,
    path_words: u32,
    net_words: u32,
}

pub(super) fn write(
    to: &mut impl Write,
    mut outcome: Result<Compiled, CompileError>,
) -> io::Result<()> {
    let (mut paths, mut net) = (Vec::new(), Vec::new());
    if let Ok(compiled) = &mut outcome {
        paths = std::mem::take(&mut compiled.paths.next);
        net = std::mem::take(&mut compiled.net.next);
    }
    let count = |words: &[u32]| u32::try_from(words.len()).map_err(io::Error::other);
    let head = Head {
        outcome,
        path_words: count(&paths)?,
        net_words: count(&net)?,
    };
    let head = postcard::to_stdvec(&head).map_err(io::Error::other)?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&head)?;
    for word in paths.iter().chain(&net) {
        to.write_all(&word.to_le_bytes())?;
    }
    to.flush()
}

/// Reads one answer, and no more than tables may have.
pub(super) fn read(from: impl Read) -> Result<Result<Compiled, CompileError>, String> {
    let mut from = BufReader::new(from);
    let said = |error: io::Error| error.to_string();
    let length = words(&mut from, 1).map_err(said)?[0];
    if length > HEAD_BYTES_MAX {
        return Err(format!("its head is to have {length} bytes"));
    }
    let mut head = vec![0; length as usize];
    from.read_exact(&mut head).map_err(said)?;
    let head: Head = postcard::from_bytes(&head).map_err(|error| error.to_string())?;
    let mut compiled = match head.outcome {
        Ok(compiled) => compiled,
        Err(refused) => return Ok(Err(refused)),
    };
    let (paths, net) = (head.path_words as usize, head.net_words as usize);
    if paths.saturating_add(net) > IMAGE_WORDS_MAX {
        return Err(format!("its tables are to have {paths} and {net} words"));
    }
    compiled.paths.next = words(&mut from, paths).map_err(said)?;
    compiled.net.next = words(&mut from, net).map_err(said)?;
    if compiled.is_whole() {
        Ok(Ok(compiled))
    } else {
        Err("its tables lead out of themselves".to_owned())
    }
}

fn words(from: &mut impl Read, count: usize) -> io::Result<Vec<u32>> {
    let mut words = Vec::with_capacity(count);
    let mut part = [0; 4 * PART_WORDS];
    while words.len() < count {
        let part = &mut part[..4 * PART_WORDS.min(count - words.len())];
        from.read_exact(part)?;
        let (fours, _) = part.as_chunks();
        words.extend(fours.iter().map(|four| u32::from_le_bytes(*four)));
    }
    Ok(words)
}
