//! Bytes before YAML: encoding, size, characters that no policy needs, and line numbers.

use std::cell::Cell;

use saphyr_parser::ScanError;

use crate::policy::problem::Problem;
use crate::policy::tree::Place;

use super::{FILE_BYTES_MAX, NESTING_MAX, problem};

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// The file as text.
pub(super) fn check(bytes: &[u8]) -> Result<&str, Problem> {
    let first = Place { line: 1, column: 1 };
    let refuse =
        |place, message: &str, help: &str| Err(problem(place, String::new(), message, help));
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("file of {} bytes: at most {FILE_BYTES_MAX}", bytes.len());
        return refuse(first, &message, "split it into several policies");
    }
    if bytes.starts_with(UTF8_BOM) {
        return refuse(
            first,
            "file begins with a byte order mark",
            "save it as UTF-8 without BOM",
        );
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return refuse(first, "file is UTF-16", "save it as UTF-8");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let place = place_after(&String::from_utf8_lossy(valid));
            let byte = bytes[error.valid_up_to()];
            return refuse(
                place,
                &format!("byte 0x{byte:02x} is not UTF-8"),
                "save it as UTF-8",
            );
        }
    };
    if let Some((offset, character)) = text
        .char_indices()
        .find(|(at, c)| is_refused(text, *at, *c))
    {
        let code = u32::from(character);
        let message = format!("control character U+{code:04X} is not allowed");
        return refuse(place_after(&text[..offset]), &message, "remove it");
    }
    Ok(text)
}

/// Control characters that YAML does not print. A carriage return may only end a line with a line
/// feed: alone it would count as a line for YAML and not for an editor.
fn is_refused(text: &str, offset: usize, character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        '\r' => text.as_bytes().get(offset + 1) != Some(&b'\n'),
        _ => character.is_control() || character == '\u{feff}',
    }
}

fn place_after(text: &str) -> Place {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Place {
        line: number(line),
        column: number(column),
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The lines of a file, without their ends.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// Line, column and byte of the place asked for last. Places come in the order of the file, so
    /// that a file of one long line is still walked once.
    last: Cell<(u32, u32, usize)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a str) -> Lines<'a> {
        let lines = source
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        Lines {
            lines: lines.collect(),
            last: Cell::new((0, 1, 0)),
        }
    }

    /// What stands in the file from `place` to the end of its line.
    pub(super) fn rest(&self, place: Place) -> &'a str {
        let line = self.line(place.line);
        let (last_line, mut column, mut byte) = self.last.get();
        if last_line != place.line || column > place.column {
            (column, byte) = (1, 0);
        }
        let skipped = (place.column - column) as usize;
        let tail = line.get(byte..).unwrap_or("");
        byte += tail
            .char_indices()
            .nth(skipped)
            .map_or(tail.len(), |(index, _)| index);
        self.last.set((place.line, place.column, byte));
        line.get(byte..).unwrap_or("")
    }

    /// The parser counts lines from 1 and columns from 0. A place behind the end of the file is
    /// moved to its last line.
    pub(super) fn place(&self, line: usize, column: usize) -> Place {
        Place {
            line: number(line.clamp(1, self.lines.len().max(1))),
            column: number(column + 1),
        }
    }

    /// Line by its 1-based number; empty when there is none.
    pub(super) fn line(&self, number: u32) -> &'a str {
        (number as usize)
            .checked_sub(1)
            .and_then(|index| self.lines.get(index))
            .copied()
            .unwrap_or("")
    }

    /// The line after the document that begins in line `first`: after its `...` if it has one
    /// before line `next`, where another document begins.
    pub(super) fn document_end(&self, first: u32, next: u32) -> u32 {
        let closes = |line: &u32| {
            let rest = self.line(*line).strip_prefix("...");
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        (first..next).find(closes).map_or(next, |line| line + 1)
    }

    /// Lines `first` to `end`, without `end`, each with a line feed.
    pub(super) fn between(&self, first: u32, end: u32) -> String {
        let end = (end.saturating_sub(1) as usize).min(self.lines.len());
        let first = (first.saturating_sub(1) as usize).min(end);
        let mut text = self.lines[first..end].join("\n");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// The parser's error as a place, a message for people, and what to do.
pub(super) fn syntax_error(error: &ScanError, lines: &Lines<'_>) -> (Place, String, String) {
    let info = error.info();
    let mut place = lines.place(error.marker().line(), error.marker().col());
    if info.contains("recursion limit") {
        let (message, help) = too_deep();
        return (place, message, help);
    }
    if info.contains("simple key expect") && place.column == 1 {
        // Said of the line after the one where the `:` is missing.
        let above = (1..place.line)
            .rev()
            .find(|line| !lines.line(*line).trim().is_empty());
        place.line = above.unwrap_or(place.line);
    }
    if info.contains("tab") {
        // Said of the line before when that ends a scalar which the next one seems to go on with.
        let below = lines.line(place.line + 1);
        let blank = &below[..below.len() - below.trim_start().len()];
        if blank.contains('\t') && !lines.line(place.line).contains('\t') {
            place = Place {
                line: place.line + 1,
                column: 1,
            };
        }
    }
    let line = lines.line(place.line);
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let help = if indent.contains('\t') || info.contains("tab") {
        "indent with spaces: YAML does not allow tabs"
    } else if info.contains("simple key") {
        "a `:` is missing after a field name, or the line is indented differently from its neighbours"
    } else if info.contains("mapping values are not allowed") {
        "quote a string that contains `: `, and check the indentation"
    } else if line.trim_start().starts_with(['*', '&', '%', '@', '`']) || line.contains(": *") {
        "quote a string that begins with one of * & % @ ` ! | > [ {"
    } else {
        ""
    };
    (place, format!("not valid YAML: {info}"), help.to_owned())
}

/// What is said of lists and mappings below `NESTING_MAX`.
pub(super) fn too_deep() -> (String, String) {
    let message = format!("lists and mappings are nested more than {NESTING_MAX} deep");
    (message, "a policy needs at most five levels".to_owned())
}
