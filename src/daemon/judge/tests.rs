use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;

use super::{Generation, Generations, judge};
use crate::daemon::kernel::{Decision, Reason};
use crate::model::action::Action;
use crate::model::resource::{Protocol, Resource};
use crate::model::verdict::{Mode, Severity, Verdict};
use crate::policy::fact::Fact;
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::{LoadOptions, load};

const POLICY: &str = r#"
apiVersion: tyr.dev/v1
kind: Policy
metadata: { name: keys }
spec:
  rules:
    - { name: no-keys, action: file_read, resource_pattern: "/home/*/.ssh/**", verdict: deny, severity: critical }
    - { name: root-only, action: exec, resource_pattern: "/bin/id", verdict: deny, condition: 'principal.user == "root"' }
    - { name: web, action: net_connect, cidr_deny: ["10.0.0.0/8"], verdict: alert }
"#;

fn generation(mode: Mode) -> Generation {
    let loaded = load("test", POLICY.as_bytes(), &LoadOptions::default()).expect("it is valid");
    let policies = loaded.policies.into_iter().map(|source| Effective {
        policy: Arc::new(source.policy),
        version: 7,
        mode,
        agent_types: vec![],
    });
    Generation {
        numbers: 3..=3,
        policies: Arc::new(policies.collect()),
        host: Principal::default(),
        moment: Moment::from_civil(date(2026, 11, 18).at(12, 0, 0, 0)),
    }
}

fn claude(user: &str) -> Principal {
    Principal {
        user: Fact::Known(user.to_owned()),
        ..Principal::of_type("claude-code")
    }
}

fn read(path: &str, verdict: Verdict) -> Decision {
    Decision {
        action: Action::FileRead,
        resource: Resource::Paths(vec![path.as_bytes().to_vec()]),
        described: String::new(),
        verdict,
        monitored: false,
        reason: Reason::Cell,
        exe: Some(b"/usr/bin/cat".to_vec()),
    }
}

#[test]
fn the_rule_is_named() {
    let decision = read("/home/ann/.ssh/id_rsa", Verdict::Deny);
    let judged = judge(
        Some(&generation(Mode::Enforce)),
        &claude("ann"),
        &decision,
        false,
    );
    assert_eq!(judged.disagreement, None);
    let operation = judged.operation;
    assert_eq!(operation.resource, "/home/ann/.ssh/id_rsa");
    assert_eq!(operation.policy.as_deref(), Some("keys"));
    assert_eq!(operation.policy_version, Some(7));
    assert_eq!(operation.rule.as_deref(), Some("no-keys"));
    assert_eq!(
        (operation.severity, operation.enforced),
        (Severity::Critical, true)
    );
    assert_eq!((operation.reason.as_str(), operation.count), ("", 1));
}

#[test]
fn monitored_and_observed_verdicts_are_not_enforced() {
    let decision = Decision {
        monitored: true,
        ..read("/home/ann/.ssh/id_rsa", Verdict::Deny)
    };
    let judged = judge(
        Some(&generation(Mode::Monitor)),
        &claude("ann"),
        &decision,
        false,
    );
    assert_eq!(
        (judged.operation.enforced, judged.disagreement),
        (false, None)
    );
    let decision = read("/home/ann/.ssh/id_rsa", Verdict::Deny);
    let observed = judge(
        Some(&generation(Mode::Enforce)),
        &claude("ann"),
        &decision,
        true,
    );
    assert!(!observed.operation.enforced);
}

#[test]
fn a_disagreement_is_never_hidden() {
    for decision in [
        read("/home/ann/.ssh/id_rsa", Verdict::Allow),
        read("/etc/hosts", Verdict::Deny),
        Decision {
            monitored: true,
            ..read("/home/ann/.ssh/id_rsa", Verdict::Deny)
        },
    ] {
        let judged = judge(
            Some(&generation(Mode::Enforce)),
            &claude("ann"),
            &decision,
            false,
        );
        assert_eq!(
            judged.operation.verdict, decision.verdict,
            "what happened stands"
        );
        assert!(
            judged.operation.reason.contains("the evaluator says"),
            "{judged:?}"
        );
        assert!(
            judged
                .disagreement
                .expect("an alarm")
                .contains("generation 3")
        );
    }
}

#[test]
fn what_was_decided_before_the_session_was_known_is_no_disagreement() {
    let decision = Decision {
        action: Action::Exec,
        resource: Resource::Paths(vec![b"/bin/id".to_vec()]),
        ..read("", Verdict::Deny)
    };
    let judged = judge(
        Some(&generation(Mode::Enforce)),
        &claude("ann"),
        &decision,
        false,
    );
    assert_eq!(judged.disagreement, None);
    assert_eq!(judged.operation.rule.as_deref(), Some("root-only"));
    assert_eq!(
        judged.operation.reason,
        "decided before the session was fully known"
    );
    let allowed = Decision {
        verdict: Verdict::Allow,
        ..decision
    };
    let judged = judge(
        Some(&generation(Mode::Enforce)),
        &claude("ann"),
        &allowed,
        false,
    );
    assert_eq!(
        (judged.operation.reason.as_str(), judged.disagreement),
        ("", None)
    );
}

#[test]
fn what_the_kernel_decides_without_rules_has_its_reason() {
    for (reason, text) in [
        (Reason::SelfProtection("signals"), "Tyr protects itself"),
        (
            Reason::Moved,
            "the new name lies under other rules than the old one",
        ),
        (
            Reason::Fault,
            "the kernel program failed, so the operation was denied",
        ),
    ] {
        let decision = Decision {
            reason,
            ..read("/etc/hosts", Verdict::Deny)
        };
        let judged = judge(
            Some(&generation(Mode::Enforce)),
            &claude("ann"),
            &decision,
            false,
        );
        assert_eq!(
            (judged.operation.reason.as_str(), judged.disagreement),
            (text, None)
        );
        let named = (judged.operation.policy, judged.operation.rule);
        let expected = match reason {
            Reason::SelfProtection(rule) => (Some("tyr-self".to_owned()), Some(rule.to_owned())),
            _ => (None, None),
        };
        assert_eq!(named, expected);
    }
}

#[test]
fn an_object_nobody_can_name_matches_deny_rules() {
    let decision = Decision {
        resource: Resource::Unknown,
        described: "…/deep".to_owned(),
        reason: Reason::TooLong,
        ..read("", Verdict::Deny)
    };
    let judged = judge(
        Some(&generation(Mode::Enforce)),
        &claude("ann"),
        &decision,
        false,
    );
    assert_eq!(judged.disagreement, None);
    assert_eq!(judged.operation.rule.as_deref(), Some("no-keys"));
    assert_eq!(judged.operation.resource, "…/deep");
    assert_eq!(judged.operation.reason, "path too long");
}

#[test]
fn addresses_are_shown_with_port_and_protocol() {
    for (ip, expected) in [
        ("10.1.2.3", "10.1.2.3:443/tcp"),
        ("2001:db8::1", "[2001:db8::1]:443/tcp"),
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let verdict = if ip.is_ipv4() {
            Verdict::Alert
        } else {
            Verdict::Allow
        };
        let decision = Decision {
            action: Action::NetConnect,
            resource: Resource::Address {
                ip,
                port: 443,
                protocol: Protocol::Tcp,
            },
            ..read("", verdict)
        };
        let judged = judge(
            Some(&generation(Mode::Enforce)),
            &claude("ann"),
            &decision,
            false,
        );
        assert_eq!(
            (judged.operation.resource.as_str(), judged.disagreement),
            (expected, None)
        );
    }
}

#[test]
fn a_generation_nobody_remembers_is_said() {
    let judged = judge(
        None,
        &claude("ann"),
        &read("/etc/hosts", Verdict::Allow),
        false,
    );
    assert_eq!(
        judged.operation.reason,
        "the policies of this generation are not known"
    );
    assert_eq!(judged.disagreement, None);
}

#[test]
fn a_generation_is_waited_for_when_it_is_new_and_not_when_it_is_old() {
    let generations = Arc::new(Generations::default());
    generations.add(generation(Mode::Enforce));
    assert!(generations.get(2).is_none());
    let adding = Arc::clone(&generations);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        adding.add(Generation {
            numbers: 4..=4,
            ..generation(Mode::Enforce)
        });
    });
    assert_eq!(generations.get(4).map(|found| found.numbers), Some(4..=4));
    thread.join().unwrap();
    for number in 5..40 {
        generations.add(Generation {
            numbers: number..=number,
            ..generation(Mode::Enforce)
        });
    }
    assert!(generations.get(4).is_none(), "only the last are remembered");
    assert!(generations.get(39).is_some());
}

#[test]
fn the_other_names_of_an_object_are_told() {
    let decision = Decision {
        resource: Resource::Paths(vec![
            b"/tmp/other".to_vec(),
            b"/home/ann/.ssh/id_rsa".to_vec(),
        ]),
        reason: Reason::Linked,
        ..read("/tmp/other", Verdict::Deny)
    };
    let generation = generation(Mode::Enforce);
    let judged = judge(Some(&generation), &claude("ann"), &decision, false);
    assert_eq!(judged.disagreement, None);
    let operation = judged.operation;
    assert_eq!(operation.resource, "/tmp/other");
    assert_eq!(operation.rule.as_deref(), Some("no-keys"));
    assert_eq!(
        operation.reason,
        "the rule is that of another hard link of the file; also /home/ann/.ssh/id_rsa"
    );
    // A name that the daemon does not know: the verdict stands, and no rule is made up.
    let unknown = Decision {
        resource: Resource::Paths(vec![b"/tmp/other".to_vec()]),
        verdict: Verdict::Alert,
        ..decision
    };
    let judged = judge(Some(&generation), &claude("ann"), &unknown, false);
    assert_eq!((judged.operation.rule, judged.disagreement), (None, None));
}
