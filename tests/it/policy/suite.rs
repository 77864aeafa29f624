//! Every case of `tests/policy/suite` gets the verdict and rule it expects from the evaluator.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tyr::policy::LoadOptions;
use tyr::policy::answer::{EXIT_FAILED, File};
use tyr::policy::suite::{TestArguments, load_suite, run_evaluator, test_files};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/suite")
}

fn file(name: &str) -> File {
    let bytes = fs::read(folder().join(name)).expect("the file is part of the tree");
    File {
        name: name.to_owned(),
        bytes,
    }
}

/// Names of the suites: each is NAME.yaml and NAME.cases.yaml.
fn suites() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder is part of the tree");
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry
                .expect("the folder can be read")
                .file_name()
                .into_string()
                .ok()?;
            name.strip_suffix(".cases.yaml").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The real path on a system that has the symlinks of `symlinks.txt`.
fn resolver() -> impl Fn(&Path) -> Option<PathBuf> {
    let text = String::from_utf8(file("symlinks.txt").bytes).expect("text");
    let links: HashMap<PathBuf, PathBuf> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(from, to)| (from.into(), to.into()))
        .collect();
    move |path| {
        let mut real = path.to_path_buf();
        while let Some((from, to)) = links.iter().find(|(from, _)| real.starts_with(from)) {
            let rest = real
                .strip_prefix(from)
                .expect("it starts with it")
                .to_path_buf();
            real = if rest.as_os_str().is_empty() {
                to.clone()
            } else {
                to.join(rest)
            };
        }
        Some(real)
    }
}

#[test]
fn the_evaluator_passes_every_case() {
    let resolver = resolver();
    let mut count = 0;
    let mut failures = Vec::new();
    for name in suites() {
        let files = [file(&format!("{name}.yaml"))];
        let cases = file(&format!("{name}.cases.yaml"));
        let arguments = TestArguments {
            files: &files,
            cases: &cases,
        };
        let suite = load_suite(&arguments, &LoadOptions::default(), Some(&resolver));
        let (policies, cases) = suite.unwrap_or_else(|answer| panic!("{name}: {}", answer.text));
        for result in run_evaluator(&policies, &cases) {
            count += 1;
            if let Some(failure) = result.failure {
                failures.push(format!(
                    "{name}.cases.yaml:{}: {}: {failure}",
                    result.line, result.name
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(count >= 200, "{count} cases");
}

#[test]
fn a_wrong_expectation_fails() {
    let files = [file("reference.yaml")];
    let mut cases = file("reference.cases.yaml");
    let text = String::from_utf8(cases.bytes).expect("text");
    cases.bytes = text
        .replacen("expect: deny", "expect: allow", 1)
        .into_bytes();
    let arguments = TestArguments {
        files: &files,
        cases: &cases,
    };
    let answer = test_files(&arguments, &LoadOptions::default(), None);
    assert_eq!(answer.exit_code, EXIT_FAILED);
    assert!(
        answer
            .text
            .contains("expected allow, got deny by rule `deny-aws-credentials`"),
        "{}",
        answer.text
    );
    assert!(
        answer.text.ends_with(" passed, 1 failed\n"),
        "{}",
        answer.text
    );
}
