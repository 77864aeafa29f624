//! YAML as values with places, independent of the parser that read them.

/// 1-based; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// An integer or a float, as written.
    Number(String),
    Text(Text),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A field. Keys of one mapping differ.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

/// A string, and where its parts are in the file.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) value: String,
    /// Byte offset in `value` from which on text stands in the file as it is, with its place;
    /// empty when escapes or folding came between.
    pub(super) lines: Vec<(usize, Place)>,
}

impl Node {
    /// What the node is, with its value when that is short: `the number 123`, `a list`.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Number(text) => format!("the number {}", shortened(text)),
            Value::Text(text) => format!("the string \"{}\"", shortened(&text.value)),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The place of byte `offset` of a string; of the node itself when it cannot be told.
    pub(super) fn place_in_text(&self, offset: usize) -> Place {
        let Value::Text(text) = &self.value else {
            return self.place;
        };
        // What is missing at the end is missing after the last word, not in the line below.
        let offset = offset.min(text.value.trim_end().len());
        let before = text.lines.iter().rev().find(|(start, _)| *start <= offset);
        let Some((start, place)) = before else {
            return self.place;
        };
        let skipped = text.value.get(*start..offset);
        let skipped = skipped.map_or(0, |text| text.chars().count());
        Place {
            line: place.line,
            column: place
                .column
                .saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX)),
        }
    }
}

/// Text for a message: one line, at most 40 characters, nothing that a terminal obeys.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
