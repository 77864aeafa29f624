//! Reading a manual page in mdoc.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::packaged::root;

/// Every page.
pub(super) const PAGES: [&str; 4] = ["tyr.1", "tyr-policy.5", "tyr-server.8", "tyrd.8"];

pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Page {
    pub(super) fn read(name: &'static str) -> Page {
        let path = root().join("packaging/man").join(name);
        let text = fs::read_to_string(&path).expect("the page is part of the tree");
        Page { name, path, text }
    }

    /// Lines of a section, without its heading.
    pub(super) fn section(&self, heading: &str) -> Vec<&str> {
        let begin = format!(".Sh {heading}");
        let lines = self.text.lines().skip_while(|line| *line != begin).skip(1);
        let found: Vec<&str> = lines.take_while(|line| !line.starts_with(".Sh ")).collect();
        assert!(!found.is_empty(), "{} has a section {heading}", self.name);
        found
    }

    /// What the lists of a section are about: `.It Ic NAME` and `.It Cm NAME`.
    pub(super) fn items(&self, heading: &str) -> BTreeSet<String> {
        let lines = self.section(heading).into_iter();
        lines
            .filter_map(|line| {
                line.strip_prefix(".It Ic ")
                    .or_else(|| line.strip_prefix(".It Cm "))
            })
            .map(str::to_owned)
            .collect()
    }

    /// `--NAME` for every `Fl Fl NAME`.
    pub(super) fn long_options(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for line in self.text.lines().filter(|line| line.starts_with('.')) {
            for (at, _) in line.match_indices("Fl Fl ") {
                let name = line[at + 6..].split(' ').next().unwrap_or_default();
                found.insert(format!("--{name}"));
            }
        }
        found
    }

    /// Variables of `.It Ev A , B`.
    pub(super) fn variables(&self) -> Vec<String> {
        let items = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix(".It Ev "));
        items
            .flat_map(|line| line.split(" , ").map(str::to_owned))
            .collect()
    }

    /// `NAME SECTION` of every `Xr`.
    pub(super) fn references(&self) -> Vec<String> {
        let mut found = Vec::new();
        for line in self.text.lines().filter(|line| line.starts_with('.')) {
            for (at, _) in line.match_indices("Xr ") {
                let words: Vec<&str> = line[at + 3..].split(' ').take(2).collect();
                found.push(words.join(" "));
            }
        }
        found
    }

    /// Texts between `.Bd -literal` and `.Ed`, as a reader sees them.
    pub(super) fn literals(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut inside: Option<String> = None;
        for line in self.text.lines() {
            match &mut inside {
                None if line.starts_with(".Bd -literal") => inside = Some(String::new()),
                Some(text) if line == ".Ed" => {
                    found.push(std::mem::take(text));
                    inside = None;
                }
                Some(text) => {
                    text.push_str(&line.replace("\\e", "\\"));
                    text.push('\n');
                }
                None => {}
            }
        }
        found
    }
}
