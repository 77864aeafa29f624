use super::*;
use crate::model::resource::Resource;
use crate::policy::pattern::Pattern;
use crate::policy::rule::Policy;
use std::sync::Arc;

pub(crate) fn rule(name: &str, pattern: &str, verdict: Verdict) -> Rule {
    Rule {
        name: name.to_owned(),
        description: String::new(),
        action: Action::FileRead,
        verdict,
        severity: Severity::Low,
        binaries: Vec::new(),
        agent_types: Vec::new(),
        matches: Match::Path(vec![Pattern::parse(pattern).expect("pattern")]),
        condition: None,
        line: 0,
    }
}

fn policy(name: &str, mode: Mode, rules: Vec<Rule>) -> Effective {
    let policy = Policy {
        name: name.to_owned(),
        description: String::new(),
        labels: Default::default(),
        rules,
        disabled: Vec::new(),
    };
    Effective {
        policy: Arc::new(policy),
        version: 1,
        mode,
        agent_types: Vec::new(),
    }
}

fn read(path: &str) -> Request {
    Request {
        principal: Principal::of_type("codex"),
        action: Action::FileRead,
        resource: Resource::Paths(vec![path.into()]),
        moment: None,
    }
}

fn decide(policies: &[Effective], request: &Request) -> (Verdict, bool, Verdict, Option<String>) {
    let decision = evaluate(policies, request);
    let name = decision.deciding.map(|deciding| {
        policies[deciding.policy_index].policy.rules[deciding.rule_index]
            .name
            .clone()
    });
    (decision.verdict, decision.enforced, decision.effect, name)
}

#[test]
fn first_match_decides_within_a_policy() {
    let rules = vec![
        rule("a", "/x/ok", Verdict::Allow),
        rule("b", "/x/*", Verdict::Deny),
    ];
    let policies = [policy("p", Mode::Enforce, rules)];
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        decide(&policies, &read("/x/ok")),
        (Verdict::Allow, true, Verdict::Allow, named("a"))
    );
    assert_eq!(
        decide(&policies, &read("/x/no")),
        (Verdict::Deny, true, Verdict::Deny, named("b"))
    );
    assert_eq!(
        decide(&policies, &read("/y")),
        (Verdict::Allow, true, Verdict::Allow, None)
    );
}

#[test]
fn strictest_wins_across_policies_and_the_first_name_among_equals() {
    let make = |name: &str, verdict| policy(name, Mode::Enforce, vec![rule(name, "/x", verdict)]);
    let policies = [
        make("z", Verdict::Deny),
        make("a", Verdict::Allow),
        make("m", Verdict::Deny),
        make("b", Verdict::Alert),
    ];
    assert_eq!(decide(&policies, &read("/x")).3.as_deref(), Some("m"));
}

#[test]
fn a_monitored_policy_reports_and_does_not_enforce() {
    let monitor = policy("a", Mode::Monitor, vec![rule("m", "/x", Verdict::Deny)]);
    let alert = policy("b", Mode::Enforce, vec![rule("e", "/x", Verdict::Alert)]);
    let deny = policy("c", Mode::Enforce, vec![rule("d", "/x", Verdict::Deny)]);
    let both = [monitor.clone(), alert];
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        decide(&both, &read("/x")),
        (Verdict::Deny, false, Verdict::Alert, named("m"))
    );
    let both = [monitor, deny];
    assert_eq!(
        decide(&both, &read("/x")),
        (Verdict::Deny, true, Verdict::Deny, named("d"))
    );
}

#[test]
fn unknown_facts_restrict() {
    let mut deny = rule("deny", "/x", Verdict::Deny);
    deny.binaries = vec![Pattern::parse("/bin/a").expect("pattern")];
    let mut allow = rule("allow", "/x", Verdict::Allow);
    allow.agent_types = vec!["cursor".to_owned()];
    let rest = rule("rest", "/x", Verdict::Alert);
    let policies = [policy("p", Mode::Enforce, vec![deny, allow, rest])];
    let mut request = read("/x");
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("deny"));
    assert!(evaluate(&policies, &request).assumed);
    request.principal.exe = Fact::Known(b"/bin/b".to_vec());
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("rest"));
    assert!(!evaluate(&policies, &request).assumed);
    request.principal.agent_types = Fact::Unknown;
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("rest"));
    request.principal.agent_types = Fact::Known(vec!["cursor".to_owned()]);
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("allow"));
    request.principal.agent_types = Fact::Known(vec!["cursor".to_owned(), "codex".to_owned()]);
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("rest"));
}

#[test]
fn an_unknown_resource_matches_denies_only() {
    let rules = vec![
        rule("a", "/x/ok", Verdict::Allow),
        rule("b", "/y", Verdict::Alert),
        rule("c", "/x/*", Verdict::Deny),
    ];
    let policies = [policy("p", Mode::Enforce, rules)];
    let request = Request {
        resource: Resource::Unknown,
        ..read("/")
    };
    assert_eq!(decide(&policies, &request).3.as_deref(), Some("c"));
}

#[test]
fn an_unknown_resource_matches_what_leaves_nothing_out() {
    let unknown = Request {
        resource: Resource::Unknown,
        ..read("/")
    };
    let deny = || rule("deny", "/x/*", Verdict::Deny);
    let with = |first: Rule| {
        let policies = [policy("p", Mode::Enforce, vec![first, deny()])];
        let (verdict, _, _, name) = decide(&policies, &unknown);
        (verdict, name.unwrap_or_default())
    };
    let expected = |verdict, name: &str| (verdict, name.to_owned());
    for pattern in ["*", "**", "/**", "**/*"] {
        for verdict in [Verdict::Allow, Verdict::Alert] {
            let all = rule("all", pattern, verdict);
            assert_eq!(with(all), expected(verdict, "all"), "{pattern}");
        }
    }
    for pattern in ["/*", "/x/**", "*.md", "?*"] {
        let some = rule("some", pattern, Verdict::Allow);
        assert_eq!(with(some), expected(Verdict::Deny, "deny"), "{pattern}");
    }
    let mut bound = rule("all", "*", Verdict::Allow);
    bound.binaries = vec![Pattern::parse("/bin/a").expect("pattern")];
    assert_eq!(with(bound), expected(Verdict::Deny, "deny"));
    let conditions = [
        ("principal.agent_type == \"codex\"", Verdict::Allow, "all"),
        ("principal.agent_type == \"cursor\"", Verdict::Deny, "deny"),
        ("resource.path like \"/home/*\"", Verdict::Deny, "deny"),
        ("!(resource.path like \"/home/*\")", Verdict::Deny, "deny"),
    ];
    for (text, verdict, name) in conditions {
        let mut all = rule("all", "*", Verdict::Allow);
        all.condition = Condition::parse(text, Action::FileRead).ok();
        assert!(all.condition.is_some(), "{text}");
        assert_eq!(with(all), expected(verdict, name), "{text}");
    }
    let after = [policy(
        "p",
        Mode::Enforce,
        vec![deny(), rule("all", "*", Verdict::Allow)],
    )];
    assert_eq!(decide(&after, &unknown).3.as_deref(), Some("deny"));
    let other = [
        policy("p", Mode::Enforce, vec![rule("all", "*", Verdict::Allow)]),
        policy("q", Mode::Enforce, vec![deny()]),
    ];
    assert_eq!(decide(&other, &unknown).3.as_deref(), Some("deny"));
}

#[test]
fn a_process_of_no_agent_is_not_governed() {
    let policies = [policy(
        "p",
        Mode::Enforce,
        vec![rule("a", "*", Verdict::Deny)],
    )];
    let mut request = read("/x");
    request.principal.agent_types = Fact::Known(Vec::new());
    assert_eq!(decide(&policies, &request).3, None);
}

#[test]
fn a_condition_on_the_path_is_about_the_path_that_the_pattern_matched() {
    let mut deny = rule("deny", "/x/*", Verdict::Deny);
    deny.condition = Condition::parse("resource.path like \"*z\"", Action::FileRead).ok();
    let policies = [policy("p", Mode::Enforce, vec![deny])];
    let mut request = read("/");
    request.resource = Resource::Paths(vec![b"/x/a".to_vec(), b"/y/z".to_vec()]);
    assert_eq!(decide(&policies, &request).0, Verdict::Allow);
    request.resource = Resource::Paths(vec![b"/x/a".to_vec(), b"/x/z".to_vec()]);
    assert_eq!(decide(&policies, &request).0, Verdict::Deny);
}
