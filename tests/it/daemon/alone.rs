//! The daemon without a server: policies from files, events in the spool.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tyr::daemon::run::Running;
use tyr::daemon::spool::Item;
use tyr::exit::Exit;
use tyr::model::event::{Body, Event};
use tyr::model::verdict::Verdict;
use tyr::wire::convert::decode_event;

use super::fleet::{start_daemon, until};
use super::scripted::{ROOT, SESSION, Scripted};

const POLICY: &str = "apiVersion: tyr.dev/v1
kind: Policy
metadata: { name: local }
spec:
  rules:
    - { name: no-keys, action: file_read, resource_pattern: '/home/*/.ssh/**', verdict: deny }
    - { name: root, action: exec, resource_pattern: '*', verdict: deny, condition: 'principal.user == \"mallory\"' }
";

async fn start(dir: &Path, kernel: &Arc<Scripted>) -> Running {
    let policy = dir.join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let (policy, state) = (
        policy.display().to_string(),
        dir.join("state").display().to_string(),
    );
    start_daemon(&["--policy", &policy, "--state-dir", &state], kernel, dir)
        .await
        .expect("it starts")
}

fn events(daemon: &Running) -> Vec<Event> {
    let items = daemon.spool().read(0, usize::MAX, usize::MAX).unwrap();
    items
        .into_iter()
        .map(|item| match item {
            Item::Record(stored) => decode_event(&stored.event).unwrap(),
            Item::Gap(gap) => panic!("{gap:?}"),
        })
        .collect()
}

fn bodies(daemon: &Running) -> Vec<Body> {
    events(daemon).into_iter().map(|event| event.body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_are_counted_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    kernel.start_agent("claude-code");
    kernel.exec(ROOT + 1, ROOT, "/usr/bin/bash");
    for _ in 0..100 {
        assert_eq!(
            kernel.read(ROOT + 1, "/usr/bin/bash", "/home/a/.ssh/k"),
            Verdict::Deny
        );
    }
    until("records are taken", || kernel.is_drained()).await;
    let spool = Arc::clone(daemon.spool());
    daemon.stop().await;
    let items = spool.read(0, usize::MAX, usize::MAX).unwrap();
    let counts: Vec<u64> = items
        .iter()
        .filter_map(|item| match item {
            Item::Record(stored) => match decode_event(&stored.event).unwrap().body {
                Body::Operation(operation) => Some(operation.count),
                _ => None,
            },
            Item::Gap(_) => None,
        })
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 100);
    assert!(counts.len() <= 20, "{counts:?}");
    assert_eq!(counts[0], 1, "the first is reported at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_who_by_whom_and_in_which_agent() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    kernel.start_agent("claude-code");
    kernel.exec(ROOT, 1, "/opt/claude");
    kernel.exec(ROOT + 1, ROOT, "/usr/bin/bash");
    kernel.exec(ROOT + 2, ROOT + 1, "/usr/bin/cat");
    kernel.read(ROOT + 2, "/usr/bin/cat", "/etc/hosts");
    until("it is spooled", || {
        bodies(&daemon)
            .iter()
            .any(|body| matches!(body, Body::Operation(_)))
    })
    .await;
    let all = events(&daemon);
    let read = all
        .iter()
        .find(|event| matches!(event.body, Body::Operation(_)))
        .unwrap();
    assert_eq!(read.process.exe, "/usr/bin/cat");
    assert_eq!(read.process.user, "root");
    let agent = read.agent.as_ref().unwrap();
    assert_eq!(agent.agent_type, "claude-code");
    assert!(all.iter().any(|event| {
        matches!(&event.body, Body::AgentStarted { evidence } if evidence == "/opt/claude")
            && event.agent.as_ref() == Some(agent)
    }));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_refined_and_its_end_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    assert!(kernel.refined().is_empty());
    kernel.start_agent("claude-code");
    until("the condition on the user makes a slot", || {
        kernel.refined().iter().any(|(number, principal)| {
            *number == SESSION && principal.user.known().is_some_and(|user| user == "root")
        })
    })
    .await;
    kernel.end_agent();
    until("the end is reported once", || {
        bodies(&daemon)
            .iter()
            .filter(|body| matches!(body, Body::AgentEnded))
            .count()
            == 1
    })
    .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kernel_lost_is_in_the_audit_through_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let lost = |daemon: &Running| {
        bodies(daemon)
            .iter()
            .map(|body| {
                if let Body::Lost { count, .. } = body {
                    *count
                } else {
                    0
                }
            })
            .sum::<u64>()
    };
    let daemon = start(dir.path(), &kernel).await;
    kernel.lose(5);
    until("the loss is reported", || lost(&daemon) == 5).await;
    kernel.lose(7);
    until("the sum agrees", || lost(&daemon) == 12).await;
    daemon.stop().await;
    kernel.lose(3);
    let daemon = start(dir.path(), &kernel).await;
    until("what was lost meanwhile is added", || lost(&daemon) == 15).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disagreement_is_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    kernel.start_agent("claude-code");
    for number in 0..3 {
        kernel.contradict(ROOT, &format!("/home/a/.ssh/{number}"), Verdict::Allow);
    }
    until("all are spooled", || {
        bodies(&daemon)
            .iter()
            .filter(|body| matches!(body, Body::Operation(_)))
            .count()
            == 3
    })
    .await;
    let bodies = bodies(&daemon);
    let alarms: Vec<&Body> = bodies
        .iter()
        .filter(|body| matches!(body, Body::Alarm { .. }))
        .collect();
    assert_eq!(alarms.len(), 1, "one a minute: {bodies:?}");
    assert!(bodies.iter().all(|body| match body {
        Body::Operation(operation) => operation.reason.contains("the evaluator says deny"),
        _ => true,
    }));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_daemon_for_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    let state = dir.path().join("state").display().to_string();
    let failure = start_daemon(&["--state-dir", &state], &kernel, dir.path())
        .await
        .err()
        .unwrap();
    assert_eq!(failure.exit, Exit::Unavailable);
    assert!(failure.message.contains("another daemon"), "{failure}");
    daemon.stop().await;
    start(dir.path(), &kernel).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_problems_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("p.yaml");
    std::fs::write(
        &policy,
        POLICY.replace("verdict: deny }", "verdict: denied }"),
    )
    .unwrap();
    let (policy, state) = (
        policy.display().to_string(),
        dir.path().join("s").display().to_string(),
    );
    let args = ["--policy", &policy, "--state-dir", &state];
    let failure = start_daemon(&args, &Scripted::new(), dir.path())
        .await
        .err()
        .unwrap();
    assert_eq!(failure.exit, Exit::Data);
    assert!(failure.message.contains("p.yaml:6:"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn enforcement_is_claimed_only_while_it_is_proved() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    kernel.set_unproven(Some("self-test: open was not denied"));
    let daemon = start(dir.path(), &kernel).await;
    let alarms = |daemon: &Running| -> Vec<String> {
        let all = bodies(daemon).into_iter();
        all.filter_map(|body| match body {
            Body::Alarm { message } => Some(message),
            _ => None,
        })
        .collect()
    };
    let claimed = |daemon: &Running| -> Vec<bool> {
        let all = bodies(daemon).into_iter();
        all.filter_map(|body| match body {
            Body::Operation(operation) => Some(operation.enforced),
            _ => None,
        })
        .collect()
    };
    kernel.start_agent("claude-code");
    kernel.read(ROOT, "/opt/claude", "/home/a/.ssh/one");
    until("the denial is spooled", || claimed(&daemon).len() == 1).await;
    assert_eq!(claimed(&daemon), [false]);
    assert!(
        daemon
            .status()
            .borrow()
            .unproven
            .contains("open was not denied")
    );
    let proofs = kernel.proofs();
    until("it is tried again and again", || {
        kernel.proofs() > proofs + 2
    })
    .await;
    assert_eq!(alarms(&daemon).len(), 1, "{:?}", alarms(&daemon));
    assert!(alarms(&daemon)[0].contains("not claimed: self-test: open was not denied"));

    kernel.set_unproven(None);
    until("its end is told", || alarms(&daemon).len() == 2).await;
    assert_eq!(alarms(&daemon)[1], "enforcement is proved again");
    assert_eq!(daemon.status().borrow().unproven, "");
    kernel.read(ROOT, "/opt/claude", "/home/a/.ssh/two");
    until("the second denial is spooled", || {
        claimed(&daemon) == [false, true]
    })
    .await;
    let policies: Vec<Body> = bodies(&daemon)
        .into_iter()
        .filter(
            |body| matches!(body, Body::PolicyApplied { policies, .. } if policies != &["local@1"]),
        )
        .collect();
    assert_eq!(
        policies,
        [],
        "the rules of the self-test are nobody's policy"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_is_seen_at_once_and_its_life_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    let ends = |daemon: &Running| {
        bodies(daemon)
            .iter()
            .filter(|body| matches!(body, Body::AgentEnded))
            .count()
    };
    kernel.start_agent("claude-code");
    until("it is looked at once", || kernel.looks() > 0).await;
    for child in 1..50 {
        kernel.exec(ROOT + child, ROOT, "/usr/bin/true");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        kernel.looks() <= 2,
        "tasks were walked {} times",
        kernel.looks()
    );

    kernel.end_root();
    until("a child lives on, which is seen", || kernel.looks() >= 2).await;
    assert_eq!(ends(&daemon), 0);
    let end = Instant::now();
    kernel.end_last(ROOT + 1);
    until("the end is reported", || ends(&daemon) == 1).await;
    assert!(
        end.elapsed() < Duration::from_secs(1),
        "{:?}",
        end.elapsed()
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_looked_for_before_the_server_answers() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = Scripted::new();
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let server = format!("127.0.0.1:{port}");
    let token = format!("tyr_et_{}.{}", "0".repeat(40), "ab".repeat(32));
    let state = dir.path().join("state").display().to_string();
    let args = [
        "--server",
        &server,
        "--enroll",
        &token,
        "--state-dir",
        &state,
    ];
    let failure = start_daemon(&args, &kernel, dir.path())
        .await
        .err()
        .expect("the server cannot be reached");
    assert_eq!(failure.exit, Exit::Unavailable, "{failure}");
    assert!(
        kernel.generation() > 0,
        "signatures were in force all the same"
    );
}
