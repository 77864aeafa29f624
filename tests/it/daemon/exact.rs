//! Every operation is counted once, wherever the daemon is killed.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
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
    items
        .into_iter()
        .map(|item| match item {
            Item::Record(stored) => decode_event(&stored.event).expect("an event").body,
            Item::Gap(gap) => panic!("{gap:?}"),
        })
        .collect()
}

type Counts = BTreeMap<String, u64>;

/// Operations by path.
fn counted(spool: &Spool) -> Counts {
    let mut counts = Counts::new();
    for body in bodies(spool) {
        if let Body::Operation(operation) = body {
            *counts.entry(operation.resource).or_default() += operation.count;
        }
    }
    counts
}

/// What the agent did, and what is to be found.
struct Agent {
    kernel: Arc<Scripted>,
    did: Counts,
}

impl Agent {
    fn new() -> Agent {
        let kernel = Scripted::new();
        Agent {
            kernel,
            did: Counts::new(),
        }
    }

    fn read(&mut self, path: &str, times: u64) {
        for _ in 0..times {
            self.kernel.read(ROOT, "/opt/claude", path);
        }
        *self.did.entry(path.to_owned()).or_default() += times;
    }

    /// Starts a daemon, lets it take everything, and compares.
    async fn settle(&self, dir: &Path) {
        self.kernel.hold(false);
        let daemon = start(dir, &self.kernel).await;
        until("records are taken", || self.kernel.is_drained()).await;
        let spool = Arc::clone(daemon.spool());
        daemon.stop().await;
        assert_eq!(counted(&spool), self.did);
        let started = bodies(&spool)
            .iter()
            .filter(|body| matches!(body, Body::AgentStarted { .. }))
            .count();
        assert_eq!(started, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_loses_no_repetition_and_counts_none_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut agent = Agent::new();
    start(dir.path(), &agent.kernel).await.stop().await;
    agent.kernel.start_agent("claude-code");
    for round in 0..16_u64 {
        agent.kernel.hold(round % 4 == 3);
        let daemon = start(dir.path(), &agent.kernel).await;
        for burst in 0..4_u64 {
            agent.read("/home/a/.ssh/id_rsa", 1 + (round * 7 + burst * 3) % 20);
            agent.read(&format!("/tmp/{}", burst % 2), burst);
            let pause = Duration::from_millis((round * 37 + burst * 53) % 130);
            tokio::time::sleep(pause).await;
        }
        daemon.abandon().await;
    }
    agent.settle(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_sync_and_giving_back_counts_nothing_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut agent = Agent::new();
    let daemon = start(dir.path(), &agent.kernel).await;
    agent.kernel.start_agent("claude-code");
    agent.read("/tmp/before", 10);
    until("records are given back", || agent.kernel.is_drained()).await;
    agent.kernel.hold(true);
    agent.read("/tmp/before", 100);
    agent.read("/tmp/after", 100);
    until("all is spooled", || counted(daemon.spool()) == agent.did).await;
    daemon.abandon().await;
    assert!(!agent.kernel.is_drained());
    agent.read("/tmp/after", 7);
    agent.settle(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_a_batch_is_written_takes_its_records_again() {
    for cut in [1, 20, 47, 48, 100, 150, 300, 500, 1_000] {
        let dir = tempfile::tempdir().expect("a folder");
        let mut agent = Agent::new();
        let daemon = start(dir.path(), &agent.kernel).await;
        agent.kernel.start_agent("claude-code");
        agent.read("/tmp/before", 10);
        until("records are given back", || agent.kernel.is_drained()).await;
        let before = daemon.spool().status().bytes;
        agent.kernel.hold(true);
        agent.read("/tmp/before", 50);
        for number in 0..5 {
            agent.read(&format!("/tmp/after-{number}"), 1 + number);
        }
        until("all is spooled", || counted(daemon.spool()) == agent.did).await;
        daemon.abandon().await;
        // The end of what was written never came to the disk.
        let path = only_file(&dir.path().join("state/spool"));
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("it opens");
        let length = file.metadata().expect("it is read").len();
        file.set_len(length.saturating_sub(cut).max(before))
            .expect("it is cut");
        agent.settle(dir.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_keeps_records_in_the_kernel_and_is_told_of() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut agent = Agent::new();
    let daemon = start(dir.path(), &agent.kernel).await;
    agent.kernel.start_agent("claude-code");
    until("records are given back", || agent.kernel.is_drained()).await;
    // The next file cannot be made.
    let (at, away) = (dir.path().join("state/spool"), dir.path().join("away"));
    fs::rename(&at, &away).expect("it is moved");
    let long = "x".repeat(3_500);
    for number in 0..2_500 {
        agent.read(&format!("/tmp/{long}/{number}"), 1);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!agent.kernel.is_drained());
    let alarms = |spool: &Spool| {
        let bodies = bodies(spool);
        bodies
            .iter()
            .filter(|body| matches!(body, Body::Alarm { .. }))
            .count()
    };
    agent.kernel.lose(5);
    fs::rename(&away, &at).expect("it is moved back");
    until("records are taken", || agent.kernel.is_drained()).await;
    until("it is told", || alarms(daemon.spool()) == 1).await;
    let spool = Arc::clone(daemon.spool());
    daemon.stop().await;
    let lost: u64 = bodies(&spool)
        .iter()
        .map(|body| match body {
            Body::Lost { count, .. } => *count,
            _ => 0,
        })
        .sum();
    assert_eq!(lost, 5);
    assert_eq!(counted(&spool), agent.did);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_once_through_a_kill_before_the_kernel_forgets() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut agent = Agent::new();
    let daemon = start(dir.path(), &agent.kernel).await;
    agent.kernel.start_agent("claude-code");
    agent.read("/tmp/x", 3);
    until("records are given back", || agent.kernel.is_drained()).await;
    agent.kernel.end_agent();
    let ends = |spool: &Spool| {
        let bodies = bodies(spool);
        bodies
            .iter()
            .filter(|body| matches!(body, Body::AgentEnded))
            .count()
    };
    // Killed at once after the end is on disk, or a moment later.
    until("the end is told", || ends(daemon.spool()) == 1).await;
    daemon.abandon().await;
    let daemon = start(dir.path(), &agent.kernel).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ends(daemon.spool()), 1);
    daemon.stop().await;
    agent.settle(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_of_an_agent_found_running_is_told_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let kernel = Scripted::new();
    // The daemon that tagged it was killed before anything was on disk.
    kernel.tag_agent("claude-code");
    let starts = |spool: &Spool| {
        let bodies = bodies(spool);
        bodies
            .iter()
            .filter(|body| matches!(body, Body::AgentStarted { .. }))
            .count()
    };
    for round in 0..3 {
        let daemon = start(dir.path(), &kernel).await;
        // It is on disk before the daemon goes on, however soon it is killed.
        assert_eq!(starts(daemon.spool()), 1, "round {round}");
        daemon.abandon().await;
    }
}

fn only_file(dir: &Path) -> PathBuf {
    let mut files = fs::read_dir(dir)
        .expect("the spool")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"));
    let file = files.next().expect("one file");
    assert_eq!(files.next(), None);
    file
}
