//! tyr-policy(5): exactly what the code takes, and examples that hold.

use std::sync::Arc;

use tyr::model::action::Action;
use tyr::model::verdict::Mode;
use tyr::policy::compile::{Input, compile};
use tyr::policy::condition::Attribute;
use tyr::policy::document::{METADATA_FIELDS, ROOT_FIELDS, RULE_FIELDS, SPEC_FIELDS};
use tyr::policy::principal::Principal;
use tyr::policy::rule::{Effective, Policy};
use tyr::policy::signatures::Signatures;
use tyr::policy::{LoadOptions, load};

use super::page::Page;
use super::set;

fn page() -> Page {
    Page::read("tyr-policy.5")
}

/// Loads the text and makes a host's tables of it.
fn compiled(name: &str, text: &str) -> Policy {
    let loaded = load(name, text.as_bytes(), &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
    assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
    assert_eq!(loaded.policies.len(), 1, "{name}");
    let policy = loaded.policies[0].policy.clone();
    let effective = [Effective {
        policy: Arc::new(policy.clone()),
        version: 1,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    }];
    let tables = compile(&Input {
        policies: &effective,
        signatures: &Signatures::builtin(),
        host: &Principal::default(),
        superblocks: &[],
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    });
    assert!(tables.is_ok(), "{name}: {:?}", tables.err());
    policy
}

#[test]
fn fields_are_those_of_the_code() {
    assert_eq!(page().items("ROOT"), set(ROOT_FIELDS));
    assert_eq!(page().items("METADATA"), set(METADATA_FIELDS));
    assert_eq!(page().items("SPEC"), set(SPEC_FIELDS));
    assert_eq!(page().items("RULE"), set(RULE_FIELDS));
}

#[test]
fn words_are_those_of_the_code() {
    let actions = Action::ALL.map(Action::name);
    assert_eq!(page().items("GOVERNED ACTIONS"), set(actions));
    let signatures = Signatures::builtin();
    assert_eq!(page().items("AGENT TYPES"), set(signatures.ids()));
    let attributes = Attribute::ALL.map(|a| format!("{}.{}", a.variable().name(), a.name()));
    let attributes = attributes.iter().map(String::as_str);
    assert_eq!(page().items("CONDITIONS"), set(attributes));
}

/// The code takes every word of these lists, and says itself which others there are.
#[test]
fn verdicts_severities_and_modes_are_those_of_the_code() {
    let wanted = |error: String| {
        let list = error.split_once("expected ").expect("it lists them").1;
        let words = list
            .split([',', ' '])
            .filter(|word| !word.is_empty() && *word != "or");
        words.map(str::to_owned).collect()
    };
    let refused = "nonsense".parse::<tyr::model::verdict::Verdict>();
    assert_eq!(
        page().items("VERDICTS"),
        wanted(refused.expect_err("not a verdict").to_string())
    );
    let refused = "nonsense".parse::<tyr::model::verdict::Severity>();
    assert_eq!(
        page().items("SEVERITIES"),
        wanted(refused.expect_err("not a severity").to_string())
    );
    let refused = "nonsense".parse::<Mode>();
    assert_eq!(
        page().items("MODES"),
        wanted(refused.expect_err("not a mode").to_string())
    );
}

#[test]
fn limits_are_those_of_the_code() {
    use tyr::policy::{document, parse, pattern};
    let number = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|group| std::str::from_utf8(group).expect("digits"))
            .collect();
        groups.join(",")
    };
    let section = page().section("LIMITS").join("\n");
    assert_eq!(parse::FILE_BYTES_MAX, 1 << 20);
    for (limit, what) in [
        (parse::DOCUMENTS_MAX, "documents a file"),
        (parse::NESTING_MAX, "levels of nesting"),
        (parse::ALIAS_VALUES_MAX, "values by way of aliases"),
        (document::RULES_MAX, "rules a policy"),
        (document::BINARIES_MAX, ".Ic binaries"),
        (document::AGENT_TYPES_MAX, ".Ic agent_types"),
        (document::NETWORKS_MAX, "networks of a list"),
        (pattern::PATTERN_BYTES_MAX, "bytes of a pattern"),
    ] {
        let said = format!(".It {}\n{what}", number(limit));
        assert!(section.contains(&said), "{said}");
    }
}

#[test]
fn examples_compile() {
    let mut policies = 0;
    for text in page().literals() {
        let name = format!("example {}", policies + 1);
        if text.starts_with("apiVersion:") {
            compiled(&name, &text);
        } else if text.starts_with("- name:") {
            let rules: String = text.lines().map(|line| format!("    {line}\n")).collect();
            let head =
                "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules:\n";
            compiled(&name, &format!("{head}{rules}"));
        } else {
            assert!(text.starts_with("tyr policy "), "{text}");
            continue;
        }
        policies += 1;
    }
    assert!(policies >= 5, "{policies} examples");
}

/// The page's complete example is the packaged one, comments aside, whose dashes are not ASCII.
#[test]
fn the_complete_example_is_the_packaged_policy() {
    let packaged = include_str!("../../../packaging/policies/production-ai-agents.yaml");
    let without_comments = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let examples = page().literals();
    let complete = examples.last().expect("the page has examples");
    assert_eq!(without_comments(complete), without_comments(packaged));
}

#[test]
fn packaged_policies_compile() {
    let folder = crate::support::packaged::root().join("packaging/policies");
    let entries = std::fs::read_dir(folder).expect("the folder is part of the tree");
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("text");
        compiled(&path.display().to_string(), &text);
        count += 1;
    }
    assert!(count >= 5, "{count} policies");
}
