//! From bytes to trees: the only place that knows a YAML parser.
//!
//! The parser gives events with places. Everything that YAML allows and a policy does not need is
//! refused here: tags, keys that are not strings, keys twice, bombs of aliases.

mod scalar;
mod text;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::problem::Problem;
use super::tree::{Entry, Node, Place, Value};

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Most documents in a file.
pub const DOCUMENTS_MAX: usize = 256;
/// Deepest nesting of lists and mappings; a policy needs five.
pub const NESTING_MAX: usize = 16;
/// Most values that aliases (`*name`) may add to a file.
pub const ALIAS_VALUES_MAX: usize = 10_000;
/// Most problems that are reported; more help nobody.
pub const PROBLEMS_MAX: usize = 1_000;

/// One document of a file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    /// The lines of the file that are this document.
    pub(super) text: String,
    /// 1-based line of the file at which `text` begins.
    pub(super) first_line: u32,
}

/// Reads every document of a file. Empty documents are left out. Problems are all that were found,
/// up to the first that makes the rest unreadable.
pub(super) fn parse(bytes: &[u8]) -> (Vec<Document>, Vec<Problem>) {
    let source = match text::check(bytes) {
        Ok(source) => source,
        Err(problem) => return (Vec::new(), vec![problem]),
    };
    let mut builder = Builder::new(source);
    builder.run();
    builder.cut_text(u32::MAX);
    if builder.documents.is_empty() && builder.problems.is_empty() {
        builder.problem(
            Place { line: 1, column: 1 },
            "file has no policy document",
            "",
        );
    }
    (builder.documents, builder.problems)
}

/// A list or mapping that is being read.
struct Frame {
    place: Place,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        seen: HashMap<String, Place>,
        key: Option<(Option<String>, Place)>,
    },
}

struct Builder<'a> {
    lines: text::Lines<'a>,
    parser: Parser<'a, StrInput<'a>>,
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    alias_values: usize,
    documents: Vec<Document>,
    /// Documents begun, empty ones included.
    started: usize,
    /// Where the text of the current document begins.
    first_line: u32,
    problems: Vec<Problem>,
}

/// The rest of the file cannot be read.
struct Unreadable;

impl<'a> Builder<'a> {
    fn new(source: &'a str) -> Builder<'a> {
        Builder {
            lines: text::Lines::new(source),
            parser: Parser::new_from_str(source),
            frames: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            alias_values: 0,
            documents: Vec::new(),
            started: 0,
            first_line: 1,
            problems: Vec::new(),
        }
    }

    fn run(&mut self) {
        while let Some(next) = self.parser.next_event() {
            let step = match next {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    let (place, message, help) = text::syntax_error(&error, &self.lines);
                    self.problem(place, &message, &help);
                    Err(Unreadable)
                }
            };
            if step.is_err() || self.problems.len() >= PROBLEMS_MAX {
                return;
            }
        }
    }

    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), Unreadable> {
        let place = self.lines.place(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(_) => self.start_document(place),
            Event::DocumentEnd => {
                self.end_document();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::Scalar(value, style, anchor, tag) => {
                let text_tag = self.check_tag(tag.as_deref(), place);
                let value = if style == ScalarStyle::Plain && !text_tag {
                    scalar::plain(&value, place, &self.lines)
                } else {
                    Value::Text(scalar::text(&value, style, place, &self.lines))
                };
                self.finish(Node { place, value }, anchor)
            }
            Event::SequenceStart(.., anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                self.open(place, anchor, Items::Sequence(Vec::new()))
            }
            Event::MappingStart(.., anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                let (entries, seen) = (Vec::new(), HashMap::new());
                self.open(
                    place,
                    anchor,
                    Items::Mapping {
                        entries,
                        seen,
                        key: None,
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
        }
    }

    fn start_document(&mut self, place: Place) -> Result<(), Unreadable> {
        self.started += 1;
        if self.started > DOCUMENTS_MAX {
            let message = format!("file has more than {DOCUMENTS_MAX} documents");
            return self.give_up(place, &message, "split it into several files");
        }
        // What stands before the first document belongs to it.
        if self.started > 1 {
            let end = self.lines.document_end(self.first_line, place.line);
            self.cut_text(end);
            self.first_line = end;
        }
        self.root = None;
        self.anchors.clear();
        Ok(())
    }

    /// Takes the lines up to `end` as the text of the document that ended, if it was not empty.
    fn cut_text(&mut self, end: u32) {
        let current = self
            .documents
            .last_mut()
            .filter(|d| d.first_line == self.first_line);
        if let Some(document) = current {
            document.text = self.lines.between(document.first_line, end);
        }
    }

    fn end_document(&mut self) {
        let Some(root) = self.root.take() else { return };
        if !matches!(root.value, Value::Null) {
            // Its text is known when the next one begins.
            let (text, first_line) = (String::new(), self.first_line);
            self.documents.push(Document {
                root,
                text,
                first_line,
            });
        }
    }

    fn open(&mut self, place: Place, anchor: usize, items: Items) -> Result<(), Unreadable> {
        if self.frames.len() >= NESTING_MAX {
            let (message, help) = text::too_deep();
            return self.give_up(place, &message, &help);
        }
        self.frames.push(Frame {
            place,
            anchor,
            items,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let Some(Frame {
            place,
            anchor,
            items,
        }) = self.frames.pop()
        else {
            return Ok(());
        };
        let value = match items {
            Items::Sequence(items) => Value::Sequence(items),
            Items::Mapping { entries, .. } => Value::Mapping(entries),
        };
        self.finish(Node { place, value }, anchor)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Unreadable> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.give_up(place, "alias refers to a value that it is part of", "");
        };
        self.alias_values += count(&node);
        if self.alias_values > ALIAS_VALUES_MAX {
            let message = format!("aliases expand to more than {ALIAS_VALUES_MAX} values");
            return self.give_up(place, &message, "write the values out");
        }
        self.finish(node, 0)
    }

    /// A whole value: hands it to the list or mapping it is in.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let path = self.path();
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { entries, seen, key } => match key.take() {
                None => {
                    let name = scalar::key(&node);
                    if name.is_none() {
                        let found = node.describe();
                        let message = format!("a field name must be a string, found {found}");
                        self.problems
                            .push(problem(node.place, path, &message, "put it in quotes"));
                    }
                    *key = Some((name, node.place));
                }
                // The field has no name and was refused.
                Some((None, _)) => {}
                Some((Some(name), key_place)) => match seen.get(&name) {
                    Some(first) => {
                        let line = first.line;
                        let message =
                            format!("field `{name}` is given twice, first in line {line}");
                        self.problems
                            .push(problem(key_place, path, &message, "keep one of them"));
                    }
                    None => {
                        seen.insert(name.clone(), key_place);
                        entries.push(Entry {
                            key: name,
                            key_place,
                            node,
                        });
                    }
                },
            },
        }
        Ok(())
    }

    /// Refuses tags. True: the tag says that a plain scalar is a string.
    fn check_tag(&mut self, tag: Option<&Tag>, place: Place) -> bool {
        let Some(tag) = tag else { return false };
        if tag.is_yaml_core_schema() && tag.suffix == "str" {
            return true;
        }
        let message = format!("tag `{}{}` is not supported", tag.handle, tag.suffix);
        self.problem(place, &message, "leave it out");
        false
    }

    fn give_up(&mut self, place: Place, message: &str, help: &str) -> Result<(), Unreadable> {
        self.problem(place, message, help);
        Err(Unreadable)
    }

    fn problem(&mut self, place: Place, message: &str, help: &str) {
        let path = self.path();
        self.problems.push(problem(place, path, message, help));
    }

    /// Field path of what is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.items {
                Items::Sequence(items) => path.push_str(&format!("[{}]", items.len())),
                Items::Mapping {
                    key: Some((Some(name), _)),
                    ..
                } => path = join(&path, name),
                Items::Mapping { .. } => {}
            }
        }
        path
    }
}

/// `path.name`, or `path["odd name"]`.
pub(super) fn join(path: &str, name: &str) -> String {
    let simple = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "_-".contains(c));
    match (path.is_empty(), simple) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[\"{}\"]", super::tree::shortened(name)),
    }
}

pub(super) fn problem(place: Place, path: String, message: &str, help: &str) -> Problem {
    Problem {
        source: String::new(),
        line: place.line,
        column: place.column,
        path,
        message: message.to_owned(),
        help: help.to_owned(),
        warning: false,
    }
}

/// How many values a node is; a long string counts as several.
fn count(node: &Node) -> usize {
    const STRING_BYTES: usize = 100;
    1 + match &node.value {
        Value::Text(text) => text.value.len() / STRING_BYTES,
        Value::Sequence(items) => items.iter().map(count).sum(),
        Value::Mapping(entries) => entries.iter().map(|entry| count(&entry.node)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
