use super::*;

const POLICY: &str = r#"
apiVersion: tyr.dev/v1
kind: Policy
metadata:
  name: p
spec:
  rules:
  - name: kernel
    action: file_read
    resource_pattern: /k
    verdict: deny
    severity: critical
  - name: type-only
    action: file_read
    resource_pattern: /t
    condition: principal.agent_type == "codex" && resource.path != "/x"
    verdict: deny
  - name: user
    action: file_read
    resource_pattern: /u
    condition: principal.user == "root"
    verdict: alert
  - name: clock
    action: exec
    condition: context.time_of_day == "night"
    verdict: deny
  - name: tls
    action: tls_connect
    verdict: deny
  - name: tls-2
    action: tls_connect
    sni_pattern: "*.x.example"
    verdict: deny
"#;

fn ask(action: &str, resource: &str, at: Option<&str>, tls_capture: bool) -> Answer {
    let files = [File {
        name: "p.yaml".into(),
        bytes: POLICY.into(),
    }];
    let now: Zoned = "2026-11-16T23:00:00+00:00[UTC]".parse().expect("a time");
    let arguments = ExplainArguments {
        files: &files,
        agent_type: "codex",
        exe: "/usr/bin/codex",
        action,
        resource,
        at,
        now: &now,
        features: HostFeatures { tls_capture },
    };
    explain_files(&arguments, &LoadOptions::default(), None)
}

#[test]
fn json_has_five_fields() {
    let deny = |rule: &str, severity: &str, enforced: &str| json!({ "verdict": "deny", "policy": "p", "rule": rule, "severity": severity, "enforced": enforced });
    let nothing = json!({ "verdict": "allow", "policy": null, "rule": null, "severity": null, "enforced": null });
    let clock = "user-space at start and clock";
    let day = Some("2026-11-16T12:00:00Z");
    let tls = "not enforced: tls_connect needs --tls-capture";
    let table = [
        (
            ask("file_read", "/k", None, false),
            deny("kernel", "critical", "kernel"),
        ),
        (
            ask("file_read", "/t", None, false),
            deny("type-only", "low", "kernel"),
        ),
        (ask("file_read", "/other", None, false), nothing.clone()),
        (ask("exec", "/x", None, false), deny("clock", "low", clock)),
        (ask("exec", "/x", day, false), nothing),
        (
            ask("tls_connect", "a.example", None, false),
            deny("tls", "low", tls),
        ),
        (
            ask("tls_connect", "a.example", None, true),
            deny("tls", "low", "kernel"),
        ),
    ];
    for (answer, expected) in table {
        assert_eq!(answer.json, expected);
        assert_eq!(answer.exit_code, EXIT_OK);
        let keys: Vec<&String> = answer.json.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["verdict", "policy", "rule", "severity", "enforced"]);
    }
}

#[test]
fn text_says_what_was_assumed() {
    let answer = ask("file_read", "/u", None, false);
    assert_eq!(
        answer.text,
        "verdict:  alert\npolicy:   p\nrule:     user (line 18)\nseverity: low\n\
         enforced: in the kernel; the condition is evaluated when the agent starts\n\
         assumed:  a fact that was not given counts as what restricts\n"
    );
    assert_eq!(answer.json["enforced"], "user-space at start");
}

#[test]
fn a_misspelt_agent_type_is_noted() {
    let files = [File {
        name: "p.yaml".into(),
        bytes: POLICY.into(),
    }];
    let now: Zoned = "2026-11-16T23:00:00+00:00[UTC]".parse().expect("a time");
    let arguments = ExplainArguments {
        files: &files,
        agent_type: "claude-cod",
        exe: "/x",
        action: "file_read",
        resource: "/k",
        at: None,
        now: &now,
        features: HostFeatures::default(),
    };
    let answer = explain_files(&arguments, &LoadOptions::default(), None);
    let note = "no signature has the agent type `claude-cod`: did you mean `claude-code`?\n";
    assert!(answer.text.ends_with(note), "{}", answer.text);
}

#[test]
fn bad_arguments_are_a_usage_error() {
    for (action, resource, at, part) in [
        ("file_raed", "/x", None, "is not an action"),
        (
            "file_read",
            "x",
            None,
            "--resource: `x` is not an absolute path",
        ),
        ("net_connect", "1.2.3.4", None, "10.1.2.3:443/tcp"),
        ("exec", "/x", Some("noon"), "--at: `noon`"),
    ] {
        let answer = ask(action, resource, at, false);
        assert_eq!(answer.exit_code, EXIT_USAGE);
        assert!(answer.text.contains(part), "{}", answer.text);
    }
}

#[test]
fn limits_count_rules_by_reason() {
    let loaded =
        crate::policy::load("", POLICY.as_bytes(), &LoadOptions::default()).expect("valid");
    let policies = all_enforced(vec![loaded.policies[0].policy.clone()]);
    let lines = limits(&policies, HostFeatures::default());
    assert_eq!(
        lines,
        ["policy `p`: 2 rules are not enforced: tls_connect needs --tls-capture"]
    );
    assert!(limits(&policies, HostFeatures { tls_capture: true }).is_empty());
}

#[test]
fn a_monitored_policy_is_not_enforced() {
    let loaded =
        crate::policy::load("", POLICY.as_bytes(), &LoadOptions::default()).expect("valid");
    let mut policies = all_enforced(vec![loaded.policies[0].policy.clone()]);
    policies[0].mode = Mode::Monitor;
    let request = Request {
        principal: Principal::of_type("codex"),
        action: Action::FileRead,
        resource: Resource::Paths(vec![b"/k".to_vec()]),
        moment: None,
    };
    let explanation = explain(&policies, &request, HostFeatures::default());
    assert_eq!(explanation.verdict, Verdict::Deny);
    assert_eq!(
        explanation.enforced.expect("a rule").to_string(),
        "not enforced: the policy is assigned in monitor mode"
    );
}

#[test]
fn a_rule_that_says_why_is_quoted() {
    let text = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules:\n    \
                - name: socket\n      description: it starts programs for whoever asks\n      \
                action: file_write\n      resource_pattern: /abstract:service\n      verdict: deny\n";
    let files = [File {
        name: "p.yaml".to_owned(),
        bytes: text.as_bytes().to_vec(),
    }];
    let now = jiff::Zoned::now();
    let arguments = ExplainArguments {
        files: &files,
        agent_type: "codex",
        exe: "/usr/bin/bash",
        action: "file_write",
        resource: "/abstract:service",
        at: None,
        now: &now,
        features: HostFeatures::default(),
    };
    let answer = explain_files(&arguments, &LoadOptions::default(), None);
    let why = "why:      it starts programs for whoever asks\n";
    assert!(answer.text.contains(why), "{}", answer.text);
}

#[test]
fn what_is_built_in_is_named() {
    let answer = ask("file_write", "/var/lib/tyr/policies.json", None, false);
    let expected = json!({
        "verdict": "deny", "policy": "tyr-self", "rule": "state-write", "severity": "critical",
        "enforced": "kernel"
    });
    assert_eq!(answer.json, expected);
    assert!(
        answer.text.contains("rule:     state-write (built in)"),
        "{}",
        answer.text
    );
}
