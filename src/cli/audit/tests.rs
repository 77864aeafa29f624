use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::line::text;
use crate::cli::output::Paint;
use crate::model::action::Action;
use crate::model::event::Ancestor;
use crate::model::verdict::{Severity, Verdict};
use crate::wire::rest::EventRecord;

fn denied() -> EventRecord {
    EventRecord {
        id: 7,
        host_id: Uuid::nil(),
        hostname: "dev-1".to_owned(),
        sequence: 12,
        time: "2026-11-21T20:58:59.123Z".parse().unwrap(),
        received_at: Timestamp::UNIX_EPOCH,
        kind: "operation".to_owned(),
        agent_id: Some("a".to_owned()),
        agent_type: Some("claude-code".to_owned()),
        pid: 31,
        parent_pid: 30,
        uid: 1000,
        user: "ann".to_owned(),
        exe: "/usr/bin/cat".to_owned(),
        comm: "cat".to_owned(),
        args: vec![],
        container: String::new(),
        lineage: vec![
            Ancestor {
                pid: 30,
                exe: "/usr/bin/bash".to_owned(),
            },
            Ancestor {
                pid: 20,
                exe: "/opt/claude".to_owned(),
            },
        ],
        action: Some(Action::FileRead),
        resource: Some("/home/ann/.ssh/id_rsa".to_owned()),
        verdict: Some(Verdict::Deny),
        enforced: Some(true),
        severity: Some(Severity::Critical),
        policy: Some("production-ai-agents".to_owned()),
        policy_version: Some(3),
        rule: Some("deny-ssh-keys".to_owned()),
        reason: String::new(),
        count: 1,
        detail: serde_json::Value::Null,
    }
}

#[track_caller]
fn check(event: &EventRecord, expected: &str) {
    assert_eq!(text(event, Paint::default(), &TimeZone::UTC), expected);
}

#[test]
fn a_denied_read_is_one_line() {
    check(
        &denied(),
        "2026-11-21 20:58:59.123 dev-1 claude-code DENY file_read /home/ann/.ssh/id_rsa \
         rule=deny-ssh-keys policy=production-ai-agents@3 \
         /usr/bin/cat[31] < /usr/bin/bash[30] < /opt/claude[20]",
    );
}

#[test]
fn repetitions_reasons_and_monitoring_are_said() {
    let event = EventRecord {
        enforced: Some(false),
        policy: None,
        policy_version: None,
        rule: None,
        lineage: vec![],
        reason: "path too long".to_owned(),
        count: 40,
        ..denied()
    };
    check(
        &event,
        "2026-11-21 20:58:59.123 dev-1 claude-code DENY(monitor) file_read \
         /home/ann/.ssh/id_rsa default (path too long) /usr/bin/cat[31] x40",
    );
}

#[test]
fn other_kinds_have_their_own_words() {
    let kind = |kind: &str, detail: serde_json::Value| EventRecord {
        kind: kind.to_owned(),
        detail,
        lineage: vec![],
        count: 9,
        ..denied()
    };
    let head = "2026-11-21 20:58:59.123 dev-1 claude-code ";
    for (event, expected) in [
        (
            kind("agent_started", serde_json::json!({"evidence": "exe\n/x"})),
            "STARTED /usr/bin/cat[31] evidence=exe\\u{a}/x",
        ),
        (
            kind("lost", serde_json::json!({"cause": "ring buffer full"})),
            "LOST 9 record(s): ring buffer full",
        ),
        (
            kind(
                "policy_applied",
                serde_json::json!({"generation": 4, "policies": ["a@1", "b@2"], "limits": []}),
            ),
            "POLICY generation=4 a@1 b@2",
        ),
        (
            kind("alarm", serde_json::json!({"message": "m"})),
            "ALARM m",
        ),
    ] {
        check(&event, &format!("{head}{expected}"));
    }
}

#[test]
fn no_field_of_an_event_can_move_the_cursor() {
    let evil = "\u{1b}[1A\r\n".to_owned();
    let event = EventRecord {
        hostname: evil.clone(),
        agent_type: Some(evil.clone()),
        exe: evil.clone(),
        resource: Some(evil.clone()),
        policy: Some(evil.clone()),
        rule: Some(evil.clone()),
        reason: evil.clone(),
        lineage: vec![Ancestor { pid: 1, exe: evil }],
        ..denied()
    };
    let line = text(&event, Paint::default(), &TimeZone::UTC);
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
