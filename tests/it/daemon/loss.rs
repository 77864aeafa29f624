//! Produced = delivered + counted lost, whatever happens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tyr::daemon::run::Running;
use tyr::daemon::spool::{Item, Spool};
use tyr::model::event::Body;
use tyr::wire::convert::decode_event;

use super::fleet::{start_daemon, until};
use super::scripted::{ROOT, Scripted};

async fn start(dir: &Path, kernel: &Arc<Scripted>) -> Running {
    let state = dir.join("state").display().to_string();
    start_daemon(&["--state-dir", &state], kernel, dir)
        .await
        .expect("it starts")
}

fn bodies(spool: &Spool) -> Vec<Body> {
    let items = spool.read(0, usize::MAX, usize::MAX).expect("it is read");
    let events = items.into_iter().map(|item| match item {
        Item::Record(stored) => decode_event(&stored.event).expect("an event").body,
        Item::Gap(gap) => panic!("{gap:?}"),
    });
    events.collect()
}

/// Operations that arrived, and records that are told as lost.
fn sums(spool: &Spool) -> (u64, u64) {
    let mut sums = (0, 0);
    for body in bodies(spool) {
        match body {
            Body::Operation(operation) => sums.0 += operation.count,
            Body::Lost { count, .. } => sums.1 += count,
            _ => {}
        }
    }
    sums
}

fn alarms(spool: &Spool) -> Vec<String> {
    let messages = bodies(spool).into_iter().filter_map(|body| match body {
        Body::Alarm { message } => Some(message),
        _ => None,
    });
    messages.collect()
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_the_sums_agree() {
    for seed in 0..6 {
        let dir = tempfile::tempdir().expect("a folder");
        let kernel = Scripted::new();
        let mut numbers = Numbers(seed);
        let mut daemon = start(dir.path(), &kernel).await;
        kernel.start_agent("claude-code");
        until("the agent is known", || kernel.is_drained()).await;
        kernel.limit(64);
        let mut produced = 0;
        for _ in 0..60 {
            match numbers.below(10) {
                0..=4 => {
                    let path = format!("/tmp/{}", numbers.below(4));
                    let times = numbers.below(150);
                    for _ in 0..times {
                        kernel.read(ROOT, "/opt/claude", &path);
                    }
                    produced += times;
                }
                5 => {
                    kernel.break_helpers();
                    produced += 1;
                }
                6 => {
                    kernel.garble();
                    produced += 1;
                }
                7 => {
                    let count = numbers.below(1_000);
                    kernel.lose(count);
                    produced += count;
                }
                8 => {
                    kernel.hold(numbers.below(2) == 0);
                    daemon.abandon().await;
                    daemon = start(dir.path(), &kernel).await;
                    kernel.hold(false);
                }
                _ => tokio::time::sleep(Duration::from_millis(numbers.below(300))).await,
            }
        }
        until("records are taken", || kernel.is_drained()).await;
        let spool = Arc::clone(daemon.spool());
        daemon.stop().await;
        let (delivered, lost) = sums(&spool);
        assert_eq!(
            delivered + lost,
            produced,
            "seed {seed}: {delivered} and {lost}"
        );
        assert!(
            delivered > 0 && lost > 0,
            "seed {seed}: {delivered} and {lost}"
        );
        // Enforced, and without a record: only an alarm can tell.
        let faults = alarms(&spool)
            .iter()
            .any(|message| message.contains("helper failed"));
        assert!(faults, "{:?}", alarms(&spool));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flood_events_flow_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let kernel = Scripted::new();
    let daemon = start(dir.path(), &kernel).await;
    kernel.start_agent("claude-code");
    until("the agent is known", || kernel.is_drained()).await;
    kernel.limit(500);
    daemon.abandon().await;
    // Nobody reads.
    for number in 0..2_000 {
        kernel.read(ROOT, "/opt/claude", &format!("/tmp/{number}"));
    }
    let daemon = start(dir.path(), &kernel).await;
    until("records are taken", || kernel.is_drained()).await;
    until("the loss is told", || sums(daemon.spool()) == (500, 1_500)).await;
    for number in 0..300 {
        kernel.read(ROOT, "/opt/claude", &format!("/var/{number}"));
    }
    until("events flow again", || sums(daemon.spool()) == (800, 1_500)).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_replaced_programs_leave_is_told_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let kernel = Scripted::new();
    kernel.leave_behind(42);
    let daemon = start(dir.path(), &kernel).await;
    until("it is told", || sums(daemon.spool()).1 == 42).await;
    until("it is forgotten", || !kernel.has_left_behind()).await;
    daemon.abandon().await;
    let daemon = start(dir.path(), &kernel).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(sums(daemon.spool()).1, 42);
    daemon.stop().await;
}
