use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::StateDir;
use crate::exit::Exit;

/// A lock that is held by a child alone, for some time.
fn leave_lock(dir: &Path, seconds: &str) -> std::process::Child {
    let lock = File::create(dir.join("lock")).expect("it is made");
    lock.lock().expect("nobody else has it");
    Command::new("sleep")
        .arg(seconds)
        .stdin(Stdio::from(lock))
        .spawn()
        .expect("it starts")
}

#[test]
fn a_lock_that_a_child_of_a_dead_daemon_still_holds_is_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = leave_lock(dir.path(), "0.3");
    let state = StateDir::lock(dir.path());
    child.wait().expect("it ends");
    state.expect("the lock is free");
}

#[test]
fn a_folder_of_a_daemon_that_runs_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = StateDir::lock(dir.path()).expect("nobody has it");
    let failure = StateDir::lock(dir.path()).expect_err("it is taken");
    assert_eq!(failure.exit, Exit::Unavailable);
    assert!(
        failure.message.contains("another daemon uses"),
        "{}",
        failure.message
    );
    drop(state);
    StateDir::lock(dir.path()).expect("nobody has it any more");
}
