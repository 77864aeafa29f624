//! The house rules that a machine can check.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers, lowest first, and what each may use of the crate besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("yaml", &[]),
    ("policy", &["model", "yaml"]),
    ("kernel", &["model", "policy"]),
    ("install", &["kernel"]),
    ("wire", &["model", "policy"]),
    ("tls", &[]),
    (
        "daemon",
        &[
            "yaml", "model", "policy", "kernel", "wire", "tls", "exit", "log", "version",
        ],
    ),
    (
        "server",
        &[
            "yaml", "model", "policy", "wire", "tls", "exit", "log", "version",
        ],
    ),
    (
        "cli",
        &[
            "model", "policy", "kernel", "install", "wire", "tls", "exit", "log", "version",
        ],
    ),
];

const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is part of the tree") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} holds files");
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Names of modules after `crate::` in a line, also in `use crate::{a, b}`.
fn uses(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list
                .split('}')
                .next()
                .unwrap_or("")
                .split(',')
                .collect::<Vec<_>>(),
            None => vec![rest],
        };
        for item in list {
            let name: String = item
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !name.is_empty() {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn layers_point_one_way() {
    let mut wrong = Vec::new();
    for path in files("src", &["rs"]) {
        let inside = path
            .strip_prefix(root().join("src"))
            .expect("a file below src");
        let first = inside.components().next().expect("a file name");
        let layer = first
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            continue;
        };
        for (number, line) in fs::read_to_string(&path)
            .expect("source is text")
            .lines()
            .enumerate()
        {
            for used in uses(line) {
                let is_layer = LAYERS.iter().any(|(name, _)| *name == used);
                if is_layer && used != layer && !allowed.contains(&used.as_str()) {
                    wrong.push(format!(
                        "{}:{}: `{layer}` uses `{used}`",
                        shown(&path),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "dependencies point the wrong way:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    for folder in ["src", "bpf", "tests", "sql", "proto"] {
        for path in files(folder, &["rs", "c", "h", "sh", "py", "sql", "proto"]) {
            let lines = fs::read_to_string(&path)
                .expect("source is text")
                .lines()
                .count();
            if lines > FILE_LINES_MAX {
                long.push(format!("{}: {lines} lines", shown(&path)));
            }
        }
    }
    assert!(long.is_empty(), "split by meaning:\n{}", long.join("\n"));
}

#[test]
fn kernel_sources_carry_their_licence() {
    for path in files("bpf", &["c", "h"]) {
        let text = fs::read_to_string(&path).expect("source is text");
        assert!(
            text.lines().next().is_some_and(
                |line| line.contains("SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause")
            ),
            "{} begins with its SPDX line",
            shown(&path)
        );
    }
}

#[test]
fn unsafe_code_stays_at_the_kernel_edge() {
    for path in files("src", &["rs"]) {
        let text = fs::read_to_string(&path).expect("source is text");
        let name = shown(&path);
        if name.starts_with("src/kernel") {
            let blocks = text
                .lines()
                .filter(|line| {
                    line.trim_start().starts_with("unsafe {") || line.contains("= unsafe {")
                })
                .count();
            let reasons = text.matches("SAFETY:").count();
            assert!(
                reasons >= blocks,
                "{name}: {blocks} unsafe blocks, {reasons} SAFETY comments"
            );
        } else {
            assert!(
                !text.contains("allow(unsafe_code"),
                "{name}: unsafe code belongs in src/kernel"
            );
        }
    }
}

#[test]
fn one_file_names_the_yaml_crate() {
    for path in files("src", &["rs"]) {
        let name = shown(&path);
        let text = fs::read_to_string(&path).expect("source is text");
        let tests = name.ends_with("tests.rs");
        assert!(
            tests || name == "src/yaml.rs" || !text.contains("serde_yml::"),
            "{name} names serde_yml"
        );
    }
}

#[test]
fn every_query_is_used() {
    let sources: String = files("src/server", &["rs"])
        .iter()
        .map(|path| fs::read_to_string(path).expect("source is text"))
        .collect();
    for path in files("sql/queries", &["sql"]) {
        let name = path
            .strip_prefix(root().join("sql/queries"))
            .expect("below sql/queries")
            .with_extension("");
        let name = name.display().to_string();
        assert!(
            sources.contains(&name),
            "sql/queries/{name}.sql is not used"
        );
    }
}

#[test]
fn uses_reads_all_forms() {
    assert_eq!(uses("use crate::model::event::Event;"), ["model"]);
    assert_eq!(
        uses("use crate::{model::event, policy};"),
        ["model", "policy"]
    );
    assert_eq!(
        uses("let x = crate::wire::convert(a, crate::tls::b());"),
        ["wire", "tls"]
    );
    assert!(uses("// nothing").is_empty());
}
