use super::*;
use crate::model::resource::Resource;

fn problems(text: &str) -> Vec<String> {
    let problems = load_cases("c.yaml", text.as_bytes()).expect_err(text);
    problems.iter().map(ToString::to_string).collect()
}

const CASE: &str = "name: a\n  agent_type: codex\n  exe: /x\n  action: file_read\n  resource: /y\n  expect: deny\n";

#[test]
fn both_forms_of_a_file_are_read() {
    let list = format!("- {CASE}");
    let mapping = "cases:\n".to_owned() + &list;
    for text in [list, mapping] {
        let cases = load_cases("c.yaml", text.as_bytes()).expect("valid");
        assert_eq!(cases.len(), 1);
        let case = &cases[0];
        assert_eq!(
            (case.name.as_str(), case.expect, &case.rule),
            ("a", Verdict::Deny, &None)
        );
        assert_eq!(case.request.resource, Resource::Paths(vec![b"/y".to_vec()]));
        assert_eq!(case.request.principal.exe, Fact::Known(b"/x".to_vec()));
        assert_eq!(case.request.moment, None);
        assert_eq!(case.request.principal.uid, Fact::Unknown);
    }
}

#[test]
fn facts_are_read() {
    let text = format!(
        "- {CASE}  at: \"2026-11-16T23:00:00+05:00\"\n  rule: ~\n  uid: 0\n  interactive: true\n  host_labels: {{env: prod}}\n"
    );
    let cases = load_cases("", text.as_bytes()).expect("valid");
    let case = &cases[0];
    assert_eq!(case.rule, Some(None));
    assert_eq!(case.request.moment.expect("a time").hour(), 23);
    assert_eq!(case.request.principal.uid, Fact::Known(0));
    assert_eq!(case.request.principal.interactive, Fact::Known(true));
    let labels = case.request.principal.host_labels.known().expect("labels");
    assert_eq!(labels["env"], "prod");
}

#[test]
fn mistakes_have_their_place() {
    let table = [
        ("[]", "c.yaml:1:1: error: list is empty"),
        (
            "cases: {}",
            "c.yaml:1:8: error: cases: expected a list, found a mapping",
        ),
        ("case: []", "c.yaml:1:1: error: case: unknown field `case`"),
        (
            "- {nmae: a}",
            "c.yaml:1:4: error: [0].nmae: unknown field `nmae`",
        ),
        (
            "- {name: a}",
            "c.yaml:1:3: error: [0].agent_type: field `agent_type` is missing",
        ),
    ];
    for (text, expected) in table {
        assert!(
            problems(text).iter().any(|p| p.starts_with(expected)),
            "{:?}",
            problems(text)
        );
    }
}

#[test]
fn mistakes_in_fields_have_their_place() {
    let with = |from: &str, to: &str| format!("- {}", CASE.replace(from, to));
    let table = [
        (
            with("file_read", "read"),
            "c.yaml:4:11: error: [0].action: \"read\" is not possible here\n  help: did you mean `file_read`?",
        ),
        (
            with("/y", "y"),
            "c.yaml:5:13: error: [0].resource: `y` is not an absolute path",
        ),
        (
            with("expect: deny", "expect: block"),
            "c.yaml:6:11: error: [0].expect: \"block\" is not possible here",
        ),
        (
            with("exe: /x", "exe: 5"),
            "c.yaml:3:8: error: [0].exe: expected a string, found the number 5",
        ),
        (
            with("name: a", "at: noon\n  name: a"),
            "c.yaml:1:7: error: [0].at: `noon` is not a time",
        ),
        (
            with("name: a", "uid: -1\n  name: a"),
            "c.yaml:1:8: error: [0].uid: expected a user number",
        ),
        (
            with("name: a", "interactive: yes\n  name: a"),
            "c.yaml:1:16: error: [0].interactive: expected true or false",
        ),
    ];
    for (text, expected) in table {
        assert!(
            problems(&text)[0].starts_with(expected),
            "{:?}",
            problems(&text)
        );
    }
    let twice = format!("- {CASE}- {CASE}");
    assert!(
        problems(&twice)[0].starts_with("c.yaml:7:3: error: [1]: case `a` is in this file twice")
    );
}

#[test]
fn an_engine_that_knows_no_rules_is_judged_by_its_verdict() {
    let text = format!("- {CASE}  rule: r\n");
    let case = load_cases("", text.as_bytes()).expect("valid").remove(0);
    let failure = |verdict, rule| judge(&case, verdict, rule).failure;
    assert_eq!(failure(Verdict::Deny, None), None);
    assert_eq!(failure(Verdict::Deny, Some(Some("r"))), None);
    assert_eq!(
        failure(Verdict::Alert, None).as_deref(),
        Some("expected deny, got alert")
    );
    assert_eq!(
        failure(Verdict::Deny, Some(Some("s"))).as_deref(),
        Some("expected deny by rule `r`, got deny by rule `s`")
    );
    assert_eq!(
        failure(Verdict::Allow, Some(None)).as_deref(),
        Some("expected deny, got allow by no rule")
    );
}

#[test]
fn reports_count_every_engine() {
    let result = |failure: Option<&str>| CaseResult {
        name: "a".to_owned(),
        line: 3,
        failure: failure.map(str::to_owned),
    };
    let runs = [
        Run {
            engine: "evaluator",
            results: vec![result(None), result(Some("no"))],
        },
        Run {
            engine: "kernel",
            results: vec![result(None), result(None)],
        },
    ];
    let answer = report("c.yaml", &runs);
    assert_eq!(
        answer.text,
        "c.yaml:3: a: evaluator: no\n3 passed, 1 failed\n"
    );
    assert_eq!(
        (answer.exit_code, answer.json["passed"].as_u64()),
        (1, Some(3))
    );
    assert_eq!(report("c.yaml", &runs[1..]).exit_code, 0);
}
