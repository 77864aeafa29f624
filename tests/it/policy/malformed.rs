//! Every file of `tests/policy/malformed` is refused with the places its `.expect` lists.
//!
//! A line of an `.expect`: line number or `*`, field path or `-` for none or `*` for any, and parts
//! of the message or help separated by `|`; tabs between the three. A problem that no line expects
//! fails too.

use std::fs;
use std::path::{Path, PathBuf};

use tyr::policy::parse::FILE_BYTES_MAX;
use tyr::policy::problem::Problem;
use tyr::policy::{LoadOptions, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/malformed")
}

pub(crate) fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder is part of the tree");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

/// Why `problem` is not what `line` expects; `None`: it is.
fn differs(line: &str, problem: &Problem) -> bool {
    let fields: Vec<&str> = line.split('\t').collect();
    let [number, path, parts] = fields[..] else {
        panic!("`{line}` needs three fields")
    };
    let path = if path == "-" { "" } else { path };
    let said = format!("{} {}", problem.message, problem.help);
    (number != "*" && number != problem.line.to_string())
        || (path != "*" && path != problem.path)
        || !parts.split('|').all(|part| said.contains(part))
        || problem.line == 0
        || problem.column == 0
        || problem.warning
}

#[test]
fn every_malformed_policy_is_refused_with_its_places() {
    let files = files();
    assert!(files.len() >= 60, "{} files", files.len());
    let mut failures = Vec::new();
    for path in files {
        let bytes = fs::read(&path).expect("the file can be read");
        let expect = fs::read_to_string(path.with_extension("expect")).expect("expect file");
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut problems = match load(&name, &bytes, &LoadOptions::default()) {
            Err(problems) => problems,
            Ok(_) => {
                failures.push(format!("{name}: was accepted"));
                continue;
            }
        };
        for line in expect.lines() {
            match problems.iter().position(|problem| !differs(line, problem)) {
                Some(index) => drop(problems.remove(index)),
                None => failures.push(format!("{name}: missing: {line}")),
            }
        }
        failures.extend(
            problems
                .iter()
                .map(|problem| format!("unexpected: {problem}")),
        );
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn ten_megabytes_are_refused_at_once() {
    let line = b"# ten megabytes of comment\n";
    let bytes: Vec<u8> = line.iter().copied().cycle().take(10 << 20).collect();
    let problems = load("big.yaml", &bytes, &LoadOptions::default()).expect_err("too large");
    assert_eq!((problems.len(), problems[0].line), (1, 1));
    assert!(
        problems[0].message.contains(&FILE_BYTES_MAX.to_string()),
        "{}",
        problems[0]
    );
}

#[test]
fn too_many_rules_are_refused() {
    let head = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n";
    let text = format!("{head}{}", "  - {}\n".repeat(20_001));
    let problems = load("many.yaml", text.as_bytes(), &LoadOptions::default()).expect_err("many");
    assert_eq!(
        (problems[0].line, problems[0].path.as_str()),
        (6, "spec.rules")
    );
    assert!(
        problems[0].message.contains("at most 20000"),
        "{}",
        problems[0]
    );
}
