//! Enrol, policies down, events up exactly once, through kills and restarts.

use serde_json::Value;
use tyr::exit::Exit;
use tyr::model::verdict::Verdict;
use tyr::policy::builtin::DEPUTIES;

use super::fleet::{Fleet, until};
use super::scripted::{ROOT, Scripted};

const KEYS: &str = "apiVersion: tyr.dev/v1
kind: Policy
metadata: { name: keys }
spec:
  rules:
    - { name: no-keys, action: file_read, resource_pattern: '/home/*/.ssh/**', verdict: deny, severity: critical }
";

const KEYS_AND_LOGS: &str = "apiVersion: tyr.dev/v1
kind: Policy
metadata: { name: keys }
spec:
  rules:
    - { name: no-keys, action: file_read, resource_pattern: '/home/*/.ssh/**', verdict: deny, severity: critical }
    - { name: logs, action: file_read, resource_pattern: '/var/log/**', verdict: alert }
";

fn operations(events: &[Value]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    events
        .iter()
        .filter(|event| event["kind"] == "operation")
        .map(|event| {
            (
                text(&event["resource"]),
                text(&event["verdict"]),
                text(&event["rule"]),
            )
        })
        .collect()
}

/// Sequences have no gap and none twice.
#[track_caller]
fn check_once(events: &[Value]) {
    let sequences: Vec<u64> = events
        .iter()
        .filter_map(|e| e["sequence"].as_u64())
        .collect();
    let expected: Vec<u64> = (1..=sequences.len() as u64).collect();
    assert_eq!(sequences, expected);
}

async fn wait_for_events(fleet: &Fleet, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let events = fleet.events().await;
        if operations(&events).len() >= count {
            return events;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("only {:?}", fleet.events().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_read_is_on_the_server_once_through_a_kill() {
    let fleet = Fleet::start().await;
    fleet.apply("keys", KEYS).await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("host", Some(&token), &kernel)
        .await
        .expect("it starts");
    until("the policy is in force", || {
        kernel.in_force() == ["keys", DEPUTIES]
    })
    .await;

    kernel.start_agent("claude-code");
    kernel.exec(ROOT + 1, ROOT, "/usr/bin/bash");
    kernel.exec(ROOT + 2, ROOT + 1, "/usr/bin/cat");
    assert_eq!(
        kernel.read(ROOT + 2, "/usr/bin/cat", "/home/ann/.ssh/id_rsa"),
        Verdict::Deny
    );
    let events = wait_for_events(&fleet, 1).await;
    check_once(&events);
    let denied = events
        .iter()
        .find(|event| event["kind"] == "operation")
        .expect("it was waited for");
    assert_eq!(denied["agent_type"], "claude-code");
    assert_eq!(denied["policy"], "keys");
    assert_eq!(denied["policy_version"], 1);
    assert_eq!(denied["rule"], "no-keys");
    assert_eq!(denied["severity"], "critical");
    assert_eq!(denied["enforced"], true);
    assert_eq!(denied["user"], "root");
    let agent_id = denied["agent_id"].clone();
    let started = events
        .iter()
        .find(|event| event["kind"] == "agent_started")
        .expect("one");
    assert_eq!(started["agent_id"], agent_id);

    // Killed when the last record was spooled and not given back; the agent goes on.
    until("the records are taken", || kernel.is_drained()).await;
    kernel.hold(true);
    kernel.read(ROOT + 2, "/usr/bin/cat", "/home/bob/.ssh/id_rsa");
    wait_for_events(&fleet, 2).await;
    daemon.abandon().await;
    assert!(!kernel.is_drained());
    kernel.hold(false);
    for number in 0..50 {
        kernel.read(
            ROOT + 2,
            "/usr/bin/cat",
            &format!("/home/ann/.ssh/key-{number}"),
        );
    }

    let daemon = fleet
        .daemon("host", None, &kernel)
        .await
        .expect("it starts again");
    let events = wait_for_events(&fleet, 52).await;
    check_once(&events);
    let operations = operations(&events);
    assert_eq!(operations.len(), 52, "{operations:?}");
    for path in [
        "/home/bob/.ssh/id_rsa",
        "/home/ann/.ssh/key-0",
        "/home/ann/.ssh/key-49",
    ] {
        let count = operations
            .iter()
            .filter(|operation| operation.0 == path)
            .count();
        assert_eq!(count, 1, "{path}");
    }
    assert!(
        operations.iter().all(|operation| operation.2 == "no-keys"),
        "{operations:?}"
    );
    let ids: Vec<&Value> = events
        .iter()
        .filter(|e| e["kind"] == "operation")
        .map(|e| &e["agent_id"])
        .collect();
    assert!(
        ids.iter().all(|id| **id == agent_id),
        "the agent keeps its id"
    );

    kernel.end_agent();
    daemon.stop().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_policies_hold_without_the_server() {
    let fleet = Fleet::start().await;
    fleet.apply("keys", KEYS).await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("host", Some(&token), &kernel)
        .await
        .expect("it starts");
    until("the policy is in force", || {
        kernel.in_force() == ["keys", DEPUTIES]
    })
    .await;

    // A new version comes down while it runs.
    fleet.apply("keys", KEYS_AND_LOGS).await;
    kernel.start_agent("claude-code");
    until("an alert follows", || {
        kernel.read(ROOT, "/opt/claude", "/var/log/syslog") == Verdict::Alert
    })
    .await;

    // A set that the kernel refuses leaves the one before, and the server is told why.
    kernel.fail(Some("no memory for the image"));
    fleet.apply("keys", KEYS).await;
    let host = loop {
        let hosts = fleet.tyr(&["hosts", "list", "--output=json"]).await.json();
        if !hosts["hosts"][0]["policy_problems"]
            .as_array()
            .expect("a list")
            .is_empty()
        {
            break hosts["hosts"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(host["policy_problems"][0], "no memory for the image");
    assert_eq!(host["limits"][0], "a scripted kernel");
    assert_eq!(
        kernel.read(ROOT, "/opt/claude", "/var/log/x"),
        Verdict::Alert
    );
    kernel.fail(None);
    daemon.stop().await;

    let dir = fleet.dir.path().to_owned();
    let address = fleet.server.grpc.to_string();
    fleet.server.stop(std::future::pending()).await;
    let kernel = Scripted::new();
    let state = dir.join("host");
    let args = [
        "--server",
        &address,
        "--state-dir",
        state.to_str().expect("UTF-8"),
    ];
    let daemon = super::fleet::start_daemon(&args, &kernel, &dir)
        .await
        .expect("it starts alone");
    assert_eq!(kernel.in_force(), ["keys", DEPUTIES]);
    kernel.start_agent("claude-code");
    assert_eq!(
        kernel.read(ROOT, "/opt/claude", "/var/log/x"),
        Verdict::Alert
    );
    daemon.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_used_once_and_only_with_its_own_server() {
    let fleet = Fleet::start().await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("one", Some(&token), &kernel)
        .await
        .expect("it starts");
    daemon.stop().await;

    let used = fleet
        .daemon("two", Some(&token), &kernel)
        .await
        .err()
        .expect("it is used up");
    assert_eq!(used.exit, Exit::NoPermission);
    assert!(used.message.contains("used up"), "{used}");

    let (secret, _) = token.split_once('.').expect("a dot");
    let foreign = format!("{secret}.{}", "ab".repeat(32));
    let refused = fleet
        .daemon("three", Some(&foreign), &kernel)
        .await
        .err()
        .expect("another CA");
    assert_eq!(refused.exit, Exit::NoPermission);
    assert!(
        refused.message.contains("not the server of this token"),
        "{refused}"
    );

    let missing = fleet
        .daemon("four", None, &kernel)
        .await
        .err()
        .expect("not enrolled");
    assert_eq!(missing.exit, Exit::Config);

    let said = fleet.tyr(&["hosts", "list"]).await;
    assert!(said.stdout.contains("test-host"), "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 2, "{}", said.stdout);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_follows_and_manages_from_the_shell() {
    let fleet = Fleet::start().await;
    fleet.apply("keys", KEYS).await;
    fleet.apply("keys", KEYS_AND_LOGS).await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("host", Some(&token), &kernel)
        .await
        .expect("it starts");
    until("the policy is in force", || {
        kernel.in_force() == ["keys", DEPUTIES]
    })
    .await;
    kernel.start_agent("claude-code");
    kernel.read(ROOT, "/opt/claude", "/home/a/.ssh/k");
    wait_for_events(&fleet, 1).await;

    let said = async |args: &str| {
        let words: Vec<&str> = args.split_whitespace().collect();
        let said = fleet.tyr(&words).await;
        assert_eq!(said.exit, Exit::Ok, "{args}: {}", said.stderr);
        said
    };
    let tail = said("audit tail --verdict deny").await.stdout;
    assert_eq!(tail.lines().count(), 1, "{tail}");
    assert!(
        tail.contains(
            "test-host claude-code DENY file_read /home/a/.ssh/k rule=no-keys policy=keys@2"
        ),
        "{tail}"
    );
    let line = said("audit tail --agent claude-code --output json")
        .await
        .stdout;
    assert!(
        line.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{line}"
    );
    assert_eq!(said("audit tail --verdict alert").await.stdout, "");
    let agents = said("agents list").await.stdout;
    assert!(
        agents.contains("claude-code") && agents.contains("live"),
        "{agents}"
    );
    assert!(
        said("hosts show test-host")
            .await
            .stdout
            .contains("a scripted kernel")
    );
    let diff = said("policy diff keys").await.stdout;
    assert!(diff.contains("+    - { name: logs"), "{diff}");
    assert_eq!(said("policy history keys").await.stdout.lines().count(), 3);
    let before = kernel.generation();
    said("policy rollback keys --to 1").await;
    let shown = said("policy show keys").await;
    assert_eq!(shown.stdout, KEYS);
    assert!(shown.stderr.contains("keys@3"), "{}", shown.stderr);
    until("the rollback comes down", || kernel.generation() > before).await;
    said("policy unassign keys").await;
    until("only what comes with Tyr is in force", || {
        kernel.in_force() == [DEPUTIES]
    })
    .await;
    assert!(
        said("enrollment-token list")
            .await
            .stdout
            .contains("used up")
    );
    said("hosts revoke test-host").await;
    assert!(said("hosts list").await.stdout.contains("revoked"));

    daemon.abandon().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_proof_is_shown_as_observed() {
    let fleet = Fleet::start().await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    kernel.set_unproven(Some("self-test: exec was not denied"));
    let daemon = fleet
        .daemon("host", Some(&token), &kernel)
        .await
        .expect("it starts");
    let shown = async |mode: &str| {
        for _ in 0..200 {
            let hosts = fleet.tyr(&["hosts", "list", "--output=json"]).await.json();
            if hosts["hosts"][0]["enforcement"] == mode {
                return hosts["hosts"][0]["limits"].to_string();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the host was never shown as {mode}");
    };
    assert!(shown("observe").await.contains("exec was not denied"));
    kernel.set_unproven(None);
    assert!(!shown("lsm").await.contains("exec was not denied"));
    kernel.set_unproven(Some("self-test: connect was not denied"));
    assert!(shown("observe").await.contains("connect was not denied"));
    daemon.stop().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn break_glass_holds_for_its_time_and_no_longer() {
    let fleet = Fleet::start().await;
    fleet.apply("keys", KEYS).await;
    let token = fleet.enrollment_token().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("host", Some(&token), &kernel)
        .await
        .expect("it starts");
    until("the policy is in force", || {
        kernel.in_force() == ["keys", DEPUTIES] && !kernel.is_monitored()
    })
    .await;
    let start = async |time: &str| {
        let host = ["break-glass", "start", "--host", "test-host"];
        let rest = ["--for", time, "--reason", "a release"];
        fleet.tyr(&[host, rest].concat()).await
    };
    let said = start("1h").await;
    assert_eq!(said.exit, Exit::Ok, "{}", said.stderr);
    assert!(
        said.stdout.contains("does not enforce them until"),
        "{}",
        said.stdout
    );
    until("nothing is enforced", || kernel.is_monitored()).await;
    let shown = fleet.tyr(&["hosts", "show", "test-host"]).await.stdout;
    assert!(shown.contains("by admin: a release"), "{shown}");

    // A daemon that starts anew goes on with it, also without the server.
    daemon.abandon().await;
    let kernel = Scripted::new();
    let daemon = fleet
        .daemon("host", None, &kernel)
        .await
        .expect("it starts");
    assert!(kernel.is_monitored(), "from the first image on");

    let ended = fleet
        .tyr(&["break-glass", "end", "--host", "test-host"])
        .await;
    assert_eq!(ended.exit, Exit::Ok, "{}", ended.stderr);
    until("it is enforced again", || !kernel.is_monitored()).await;
    let ended = fleet
        .tyr(&["break-glass", "end", "--host", "test-host"])
        .await;
    assert_ne!(ended.exit, Exit::Ok, "there is none");

    // It ends by itself, with no word from the server.
    assert_eq!(start("3s").await.exit, Exit::Ok);
    until("nothing is enforced", || kernel.is_monitored()).await;
    until("it is enforced again", || !kernel.is_monitored()).await;
    assert_eq!(start("5h").await.exit, Exit::Usage);
    assert_eq!(start("0s").await.exit, Exit::Data);

    let alarms = async || {
        let events = fleet.events().await.into_iter();
        let alarms = events.filter(|event| event["kind"] == "alarm");
        alarms
            .map(|event| {
                event["detail"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .filter(|message| message.starts_with("break-glass"))
            .collect::<Vec<String>>()
    };
    let waiting = std::time::Instant::now();
    while alarms().await.len() < 5 && waiting.elapsed().as_secs() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let seen = alarms().await;
    let ended = "break-glass has ended: policies are enforced again";
    assert_eq!(
        seen.iter().filter(|message| *message == ended).count(),
        2,
        "{seen:?}"
    );
    assert!(seen[0].contains("by admin (a release)"), "{seen:?}");
    daemon.abandon().await;
    fleet.stop().await;
}
