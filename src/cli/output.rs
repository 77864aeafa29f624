//! Tables for people, JSON for programs.

use std::str::FromStr;

use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::process::Process;

use super::write;

/// What `--output` chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "table" | "text" => Ok(Format::Table),
            "json" => Ok(Format::Json),
            other => Err(format!(
                "`{other}` is not an output format: expected table or json"
            )),
        }
    }
}

/// Prints `value` as JSON, two spaces deep, with a line end.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn json(process: &mut Process, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::caused(Exit::Software, "cannot encode the answer", &error))?;
    write(process, &format!("{text}\n"))
}

/// Rows under headings, every column as wide as its widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(headings: &[&str]) -> Table {
        Table {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| (*heading).to_owned())
                    .collect(),
            ],
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// The text, two spaces between columns, none at the end of a line.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|c| c.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names and values, one a line, values aligned. Empty values are left out.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| name.len() + 1)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!(
            "{:width$}  {}\n",
            format!("{name}:"),
            plain(value)
        ));
    }
    text
}

/// Text that a terminal shows as it is: control characters and those that turn the direction of
/// writing are escaped, so that no file name can repaint the screen.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns_direction(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Like [`plain`], but line ends stay.
pub fn plain_lines(text: &str) -> String {
    text.split('\n')
        .map(plain)
        .collect::<Vec<String>>()
        .join("\n")
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Colours of a terminal; nothing when nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    pub enabled: bool,
}

impl Paint {
    pub fn of(process: &Process) -> Paint {
        let dumb = process.var("TERM") == Some("dumb") || process.var("NO_COLOR").is_some();
        Paint {
            enabled: process.stdout_is_terminal && !dumb,
        }
    }

    pub fn red(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.enabled {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
