use super::*;

fn state(unproven: &str) -> State {
    State {
        at_boot_ms: 60_000,
        every_ms: 5_000,
        unproven: unproven.to_owned(),
    }
}

#[test]
fn a_state_is_written_whole_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tyr/canary.json");
    assert_eq!(State::read(&path), None);
    for unproven in ["", "an open was not denied"] {
        state(unproven).write(&path).expect("written");
        assert_eq!(State::read(&path), Some(state(unproven)));
    }
    fs::write(&path, "{").expect("written");
    assert_eq!(State::read(&path), None);
}

#[test]
fn a_late_proof_is_none() {
    assert_eq!(state("").problem(60_000), None);
    assert_eq!(state("").problem(75_000), None);
    let late = state("").problem(76_000).expect("it is late");
    assert!(late.contains("for 16 s"), "{late}");
    assert_eq!(state("broken").problem(60_000).as_deref(), Some("broken"));
}
