//! Holds the list of ways around a policy, the attacks and the tests to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const STATES: [&str; 2] = ["closed", "open"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(root().join(folder)).expect("the folder is part of the tree");
    found.map(|entry| entry.expect("an entry").path()).collect()
}

/// Attacks by name, and whether each says of itself that it gets through.
fn attacks() -> BTreeMap<String, bool> {
    entries("tests/bypass/attacks")
        .iter()
        .filter(|path| path.is_file())
        .map(|path| {
            let text = fs::read_to_string(path).expect("attacks are text");
            let open = text
                .lines()
                .take_while(|line| line.starts_with("//") || line.starts_with('#'))
                .any(|line| line.trim_start_matches(['/', '#', ' ']) == "now: open");
            (stem(path), open)
        })
        .collect()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .expect("a file name")
        .to_string_lossy()
        .into_owned()
}

/// Names of functions that follow a `#[test]` in the enforcement tests, which run with the attacks.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut paths = entries("tests/vm");
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(entries(&path.to_string_lossy()));
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("source is text");
        for part in text.split("#[test]").skip(1) {
            let name = part.split("fn ").nth(1).unwrap_or_default();
            found.insert(name.split('(').next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// One line of the list.
struct Way {
    line: usize,
    state: String,
    /// What stands in backquotes in the last column.
    names: Vec<String>,
    reason: String,
}

fn ways() -> Vec<Way> {
    let text = fs::read_to_string(root().join("tests/bypass/BYPASSES.md")).expect("the list");
    let mut ways = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let is_row = line.starts_with("| ") && cells.get(1) != Some(&"state");
        if !is_row {
            continue;
        }
        assert_eq!(cells.len(), 3, "line {}: three columns", number + 1);
        let last = cells[2].trim_end_matches('|').trim();
        ways.push(Way {
            line: number + 1,
            state: cells[1].to_owned(),
            names: last
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect(),
            reason: last.to_owned(),
        });
    }
    assert!(!ways.is_empty(), "the list has lines");
    ways
}

#[test]
fn every_closed_way_has_a_test() {
    let (attacks, tests) = (attacks(), tests());
    let mut wrong = Vec::new();
    for way in ways() {
        if !STATES.contains(&way.state.as_str()) {
            wrong.push(format!("line {}: '{}' is no state", way.line, way.state));
        }
        if way.state == "closed" && way.names.is_empty() {
            wrong.push(format!("line {}: closed without a test", way.line));
        }
        if way.state == "open" && way.reason.split_whitespace().count() < 4 {
            wrong.push(format!("line {}: open without a reason", way.line));
        }
        for name in &way.names {
            let gets_through = match attacks.get(name) {
                Some(open) => *open,
                None if tests.contains(name) => false,
                None => {
                    wrong.push(format!("line {}: no test is called {name}", way.line));
                    continue;
                }
            };
            if way.state == "closed" && gets_through {
                wrong.push(format!("line {}: {name} gets through", way.line));
            }
        }
    }
    assert!(wrong.is_empty(), "BYPASSES.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_attack_is_on_the_list() {
    let ways = ways();
    let named: BTreeSet<_> = ways.iter().flat_map(|way| way.names.clone()).collect();
    let unnamed: Vec<_> = attacks()
        .into_keys()
        .filter(|attack| !named.contains(attack))
        .collect();
    assert!(unnamed.is_empty(), "BYPASSES.md does not name {unnamed:?}");
}
