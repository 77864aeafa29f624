use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::action::Action;
use crate::model::verdict::{Severity, Verdict};
use crate::policy::rule::Match;

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the folder is part of the tree");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .filter(|path| !path.to_string_lossy().ends_with(".cases.yaml"))
        .collect();
    files.sort();
    files
}

fn loaded(text: &str) -> Loaded {
    load("p.yaml", text.as_bytes(), &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn one_rule(fields: &str) -> String {
    format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - {{name: r, {fields}}}\n"
    )
}

#[test]
fn shipped_policies_load_without_a_warning() {
    let files = yaml_files("packaging/policies");
    assert!(files.len() >= 5);
    for path in files {
        let text = fs::read_to_string(&path).expect("text");
        let loaded = loaded(&text);
        assert!(
            loaded.warnings.is_empty(),
            "{}: {:?}",
            path.display(),
            loaded.warnings
        );
        assert_eq!(loaded.policies.len(), 1);
        let stem = path.file_stem().expect("a name").to_string_lossy();
        assert_eq!(
            loaded.policies[0].policy.name, stem,
            "a file is named after its policy"
        );
    }
}

#[test]
fn the_reference_example_is_read_as_written() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/policies/production-ai-agents.yaml");
    let loaded = loaded(&fs::read_to_string(path).expect("text"));
    let policy = &loaded.policies[0].policy;
    assert_eq!(
        policy.description,
        "Strict policy for autonomous LLM workers in prod"
    );
    assert_eq!(policy.labels["owner"], "platform-team");
    let rules: Vec<(&str, Action, Verdict, Severity)> = policy
        .rules
        .iter()
        .map(|rule| (rule.name.as_str(), rule.action, rule.verdict, rule.severity))
        .collect();
    use Action::{Exec, FileRead, TlsConnect};
    use Severity::{Critical, High, Low};
    use Verdict::{Allow, Deny};
    assert_eq!(
        rules,
        [
            ("deny-aws-credentials", FileRead, Deny, Critical),
            ("deny-ssh-keys", FileRead, Deny, Critical),
            ("allow-git", Exec, Allow, Low),
            ("deny-all-other-exec", Exec, Deny, High),
            ("allow-openai", TlsConnect, Allow, Low),
            ("allow-anthropic", TlsConnect, Allow, Low),
            ("deny-other-tls", TlsConnect, Deny, High),
        ]
    );
    assert_eq!(policy.rules[0].line, 12);
    assert!(matches!(policy.rules[6].matches, Match::ServerName(None)));
}

#[test]
fn a_condition_may_stand_for_the_pattern() {
    let text =
        one_rule("action: exec, verdict: deny, condition: 'principal.agent_type == \"autogen\"'");
    let loaded = loaded(&text);
    let Match::Path(patterns) = &loaded.policies[0].policy.rules[0].matches else {
        panic!("paths")
    };
    assert!(patterns[0].matches(b"/any/path"));
}

#[test]
fn no_rules_are_a_policy() {
    for rules in ["[]", ""] {
        let text = format!(
            "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules: {rules}\n"
        );
        assert!(loaded(&text).policies[0].policy.rules.is_empty());
    }
}

#[test]
fn an_unknown_agent_type_is_a_warning() {
    let text = one_rule(
        "action: exec, resource_pattern: /x, verdict: deny, agent_types: [claude-cod, codex, mine]",
    );
    let warnings = loaded(&text).warnings;
    let found: Vec<(&str, &str)> = warnings
        .iter()
        .map(|w| (w.path.as_str(), w.help.as_str()))
        .collect();
    let nothing = "nothing is this agent until a signature has the id";
    assert_eq!(
        found,
        [
            (
                "spec.rules[0].agent_types[0]",
                "did you mean `claude-code`?"
            ),
            ("spec.rules[0].agent_types[2]", nothing),
        ]
    );
    assert!(
        warnings
            .iter()
            .all(|warning| warning.warning && warning.source == "p.yaml")
    );
    let mine = [
        "mine".to_owned(),
        "codex".to_owned(),
        "claude-cod".to_owned(),
    ];
    let options = LoadOptions {
        agent_types: Some(&mine),
    };
    let loaded = load("", text.as_bytes(), &options).expect("valid");
    assert!(loaded.warnings.is_empty());
}

#[test]
fn every_document_can_be_loaded_alone() {
    let mut count = 0;
    for path in yaml_files("tests/policy/suite") {
        let text = fs::read_to_string(&path).expect("text");
        for source in loaded(&text).policies {
            let alone = loaded(&source.text);
            assert_eq!(alone.policies.len(), 1, "{}", path.display());
            let alone = format!("{:?}", alone.policies[0].policy);
            assert_eq!(alone, format!("{:?}", source.policy), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 14, "{count} documents");
}

#[test]
fn ten_thousand_rules_are_one_file() {
    let mut text = String::from(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n",
    );
    for index in 0..10_000 {
        text.push_str(&format!(
            "  - {{name: r{index}, action: exec, resource_pattern: \"/opt/{index}/**\", verdict: deny}}\n"
        ));
    }
    assert_eq!(loaded(&text).policies[0].policy.rules.len(), 10_000);
}

/// One change of a text: where, in thousandths, and what.
#[derive(Clone, Debug)]
enum Change {
    Remove(usize, usize),
    Insert(usize, String),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        "[ -~]{1,4}",
        proptest::sample::select(vec![
            "\n",
            "\t",
            ": ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "'",
            "\"",
            "|",
            "*",
            "&a ",
            "*a",
            "---\n",
            "#",
            "\u{e9}",
            "\n    - name: r\n",
            "verdict: deny\n",
            "condition: principal.",
            "\0",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![
        (0..1000usize, 1..40usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (0..1000usize, piece).prop_map(|(at, text)| Change::Insert(at, text)),
        (0..1000usize, 1..60usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(text: &mut Vec<u8>, change: &Change) {
    let place = |thousandths: usize, text: &[u8]| text.len() * thousandths / 1000;
    match change {
        Change::Remove(at, length) => {
            let start = place(*at, text);
            let end = (start + length).min(text.len());
            text.drain(start..end);
        }
        Change::Insert(at, piece) => {
            let start = place(*at, text);
            text.splice(start..start, piece.bytes());
        }
        Change::Repeat(at, length) => {
            let start = place(*at, text);
            let end = (start + length).min(text.len());
            let copy = text[start..end].to_vec();
            text.splice(start..start, copy);
        }
    }
}

const SEED: &str = include_str!("../../../tests/policy/suite/resource.yaml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_change_of_a_policy_stops_the_loader(changes in proptest::collection::vec(change(), 1..6)) {
        let mut text = SEED.as_bytes().to_vec();
        for change in &changes {
            apply(&mut text, change);
        }
        let lines = text.split(|byte| *byte == b'\n').count();
        match load("p", &text, &LoadOptions::default()) {
            Ok(loaded) => {
                for source in loaded.policies {
                    let alone = load("p", source.text.as_bytes(), &LoadOptions::default());
                    let alone = alone.expect("a document that was accepted is accepted alone");
                    prop_assert_eq!(alone.policies.len(), 1);
                }
            }
            Err(problems) => {
                prop_assert!(problems.iter().any(|problem| !problem.warning));
                for problem in problems {
                    prop_assert!(problem.line > 0 && problem.line as usize <= lines, "{}", problem);
                    prop_assert!(problem.column > 0 && !problem.message.is_empty());
                }
            }
        }
    }

    #[test]
    fn no_condition_stops_the_loader(text in "[a-z\"()!&|.,<>=+\\[\\] 0-9*-]{0,60}") {
        let yaml = one_rule(&format!("action: exec, verdict: deny, condition: '{text}'"));
        drop(load("p", yaml.as_bytes(), &LoadOptions::default()));
    }
}
