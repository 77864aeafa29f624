//! Typed reading of a tree: every mistake is written down, and reading goes on.

use super::nearest;
use super::parse::{PROBLEMS_MAX, join, problem};
use super::problem::Problem;
use super::tree::{Entry, Node, Place, Text, Value, shortened};

/// Problems found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
}

impl Findings {
    pub(super) fn refuse(&mut self, place: Place, path: &str, message: &str, help: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems
                .push(problem(place, path.to_owned(), message, help));
        }
    }

    pub(super) fn warn(&mut self, place: Place, path: &str, message: &str, help: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            let warning = Problem {
                warning: true,
                ..problem(place, path.to_owned(), message, help)
            };
            self.problems.push(warning);
        }
    }

    pub(super) fn wrong_type(&mut self, node: &Node, path: &str, expected: &str) {
        let help = match (&node.value, expected) {
            (Value::Bool(_) | Value::Number(_), "a string") => "put it in quotes",
            (Value::Null, _) => "leave the field out, or give it a value",
            (Value::Text(_), "a list") => "write it as a list: [\"…\"]",
            _ => "",
        };
        let message = format!("expected {expected}, found {}", node.describe());
        self.refuse(node.place, path, &message, help);
    }

    /// A string, which may be empty.
    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n Text> {
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.wrong_type(node, path, "a string");
                None
            }
        }
    }

    /// A short text for people and tables: one line, not empty, no blanks around it.
    pub(super) fn name(&mut self, node: &Node, path: &str, chars_max: usize) -> Option<String> {
        let text = &self.text(node, path)?.value;
        let count = text.chars().count();
        let mistake = if text.is_empty() {
            "is empty".to_owned()
        } else if count > chars_max {
            format!("has {count} characters: at most {chars_max}")
        } else if text.chars().any(char::is_control) {
            "has a control character or a line break".to_owned()
        } else if text.trim() != text {
            "begins or ends with a blank".to_owned()
        } else {
            return Some(text.clone());
        };
        self.refuse(
            node.place,
            path,
            &format!("\"{}\" {mistake}", shortened(text)),
            "",
        );
        None
    }

    /// One of a few words.
    pub(super) fn word<T: std::str::FromStr>(
        &mut self,
        node: &Node,
        path: &str,
        known: &[&str],
    ) -> Option<T> {
        let text = &self.text(node, path)?.value;
        text.parse().ok().or_else(|| {
            let message = format!("\"{}\" is not possible here", shortened(text));
            self.refuse(node.place, path, &message, &nearest::help(text, known));
            None
        })
    }

    /// A list that is not empty and not longer than `items_max`, each item with its path.
    pub(super) fn list<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        items_max: usize,
        empty_help: &str,
    ) -> Vec<(&'n Node, String)> {
        let Value::Sequence(items) = &node.value else {
            self.wrong_type(node, path, "a list");
            return Vec::new();
        };
        if items.is_empty() {
            self.refuse(node.place, path, "list is empty", empty_help);
        }
        if items.len() > items_max {
            let message = format!("list has {} items: at most {items_max}", items.len());
            self.refuse(node.place, path, &message, "split the rule");
            return Vec::new();
        }
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, item)| (item, format!("{path}[{index}]")))
            .collect()
    }

    /// A mapping of which every field is one of `known`. `elsewhere` lists fields that belong to
    /// another place, with that place.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        known: &[&str],
        elsewhere: &[(&str, &str)],
    ) -> Option<Fields<'n>> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong_type(node, path, "a mapping");
            return None;
        };
        for entry in entries
            .iter()
            .filter(|entry| !known.contains(&entry.key.as_str()))
        {
            let near = nearest::nearest(&entry.key, known);
            let home = elsewhere.iter().find(|(field, _)| *field == entry.key);
            let help = match (home, near) {
                (Some((field, home)), _) => format!("`{field}` belongs {home}"),
                (None, _) if entry.key == "<<" => {
                    "merge keys are not supported: write the fields out".to_owned()
                }
                (None, _) => nearest::help(&entry.key, known),
            };
            let path = join(path, &entry.key);
            let message = format!("unknown field `{}`", shortened(&entry.key));
            self.refuse(entry.key_place, &path, &message, &help);
        }
        Some(Fields {
            path: path.to_owned(),
            place: node.place,
            entries,
        })
    }

    /// A field that must be there.
    pub(super) fn required<'n>(
        &mut self,
        fields: &Fields<'n>,
        name: &str,
    ) -> Option<(&'n Node, String)> {
        let found = fields.optional(name);
        if found.is_none() {
            let path = join(&fields.path, name);
            self.refuse(
                fields.place,
                &path,
                &format!("field `{name}` is missing"),
                "",
            );
        }
        found
    }
}

/// A mapping with the path to it.
pub(super) struct Fields<'n> {
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    pub(super) fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub(super) fn optional(&self, name: &str) -> Option<(&'n Node, String)> {
        self.entry(name)
            .map(|entry| (&entry.node, join(&self.path, name)))
    }
}
