use super::*;

fn file(name: &str, policy: &str, rules: &str) -> File {
    let text = format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: {policy}\nspec:\n  rules: {rules}\n"
    );
    File {
        name: name.to_owned(),
        bytes: text.into_bytes(),
    }
}

#[test]
fn good_files_are_listed() {
    let rule = "[{name: r, action: tls_connect, verdict: deny, agent_types: [nobody]}]";
    let files = [file("a.yaml", "a", "[]"), file("b.yaml", "b", rule)];
    let answer = check(&files, &LoadOptions::default());
    assert_eq!(answer.exit_code, EXIT_OK);
    assert_eq!(
        answer.text,
        "b.yaml:6:71: warning: spec.rules[0].agent_types[0]: no signature has the agent type `nobody`\n  \
         help: nothing is this agent until a signature has the id\n\
         a.yaml: policy `a`, 0 rules: ok\nb.yaml: policy `b`, 1 rule: ok\n"
    );
    assert_eq!(answer.json["ok"], true);
    assert_eq!(
        answer.json["policies"][1],
        json!({ "file": "b.yaml", "name": "b", "rules": 1 })
    );
    assert_eq!(answer.json["problems"][0]["warning"], true);
}

#[test]
fn every_problem_of_every_file_is_told() {
    let bad = |name| File {
        name: String::from(name),
        bytes: b"kind: Polcy\n".to_vec(),
    };
    let files = [bad("x.yaml"), file("a.yaml", "a", "[]"), bad("y.yaml")];
    let answer = check(&files, &LoadOptions::default());
    assert_eq!(answer.exit_code, EXIT_DATA);
    let problems = answer.json["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 8);
    assert!(
        answer
            .text
            .contains("y.yaml:1:7: error: kind: \"Polcy\" is not supported\n")
    );
    assert!(
        answer
            .text
            .ends_with("a.yaml: policy `a`, 0 rules: ok\n8 problems\n"),
        "{}",
        answer.text
    );
    assert_eq!(answer.json["ok"], false);
}

#[test]
fn one_name_in_two_files_is_a_problem() {
    let files = [file("a.yaml", "p", "[]"), file("b.yaml", "p", "[]")];
    let answer = check(&files, &LoadOptions::default());
    assert_eq!(answer.exit_code, EXIT_DATA);
    assert!(
        answer
            .text
            .contains("b.yaml: error: metadata.name: policy `p` is also in a.yaml"),
        "{}",
        answer.text
    );
}
