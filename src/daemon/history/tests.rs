use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{History, STAGES_MAX, Set, StateDir};

fn set(revision: u64) -> Set {
    Set {
        revision,
        ..Set::default()
    }
}

/// Revision of the set that the history names for a generation.
fn revision_of(history: &History, number: u32) -> Option<u64> {
    let named = history.stages().iter().find(|stage| {
        let numbers = stage.generations;
        numbers.is_some_and(|(first, last)| (first..=last).contains(&number))
    });
    named.map(|stage| stage.set.revision)
}

/// Where a daemon that puts a set in force is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    BeforeTheKernel,
    BeforeTheDisk,
    Never,
}

#[derive(Clone, Debug)]
enum Step {
    Apply(u64, bool, Killed),
    /// The kernel refuses it.
    Refuse(u64),
    Restart,
    Boot,
}

fn step() -> impl Strategy<Value = Step> {
    let killed = prop_oneof![
        Just(Killed::BeforeTheKernel),
        Just(Killed::BeforeTheDisk),
        Just(Killed::Never),
    ];
    prop_oneof![
        8 => (0..3_u64, any::<bool>(), killed).prop_map(|(set, open, at)| Step::Apply(set, open, at)),
        1 => (0..3_u64).prop_map(Step::Refuse),
        2 => Just(Step::Restart),
        1 => Just(Step::Boot),
    ]
}

proptest! {
    #[test]
    fn every_generation_finds_its_set_wherever_daemons_are_killed(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut history = History::default();
        let mut disk = history.clone();
        let mut in_force = 0;
        // By number, of this boot.
        let mut truth: BTreeMap<u32, u64> = BTreeMap::new();
        let mut last = None;
        for step in steps {
            let is_restart = match step {
                Step::Apply(revision, monitored, killed) => {
                    if history.begin(&set(revision), monitored) {
                        disk = history.clone();
                    }
                    if killed != Killed::BeforeTheKernel {
                        in_force += 1;
                        truth.insert(in_force, revision);
                        last = Some(revision);
                    }
                    if killed == Killed::Never {
                        history.succeeded(in_force);
                        disk = history.clone();
                    }
                    killed != Killed::Never
                }
                Step::Refuse(revision) => {
                    if history.begin(&set(revision), false) && history.failed() {
                        disk = history.clone();
                    }
                    false
                }
                Step::Restart => true,
                Step::Boot => {
                    in_force = 0;
                    truth.clear();
                    true
                }
            };
            if is_restart {
                history = disk;
                history.found(in_force);
                disk = history.clone();
            }
            prop_assert_eq!(history.last().map(|stage| stage.set.revision), last);
            prop_assert!(history.stages().len() <= STAGES_MAX);
            let oldest = history.stages().iter().find_map(|stage| stage.generations);
            let oldest = oldest.map_or(u32::MAX, |(first, _)| first);
            for (number, revision) in truth.range(oldest..) {
                prop_assert_eq!(revision_of(&history, *number), Some(*revision));
            }
            prop_assert!(truth.is_empty() || oldest <= in_force);
        }
    }
}

#[test]
fn a_file_that_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::lock(folder.path()).unwrap();
    state.write("policies.json", b"{").unwrap();
    let message = History::load(&state, 0).unwrap_err().to_string();
    assert!(message.contains("policies.json"), "{message}");
    assert!(message.contains("remove the file"), "{message}");
}

#[test]
fn what_was_stored_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::lock(folder.path()).unwrap();
    let mut history = History::default();
    assert!(history.begin(&set(1), true));
    history.succeeded(1);
    assert!(!history.begin(&set(1), true));
    history.succeeded(2);
    assert!(history.begin(&set(2), false));
    history.store(&state).unwrap();
    let found = History::load(&state, 4).unwrap();
    assert_eq!(
        (1..=5)
            .map(|number| revision_of(&found, number))
            .collect::<Vec<_>>(),
        [Some(1), Some(1), Some(2), Some(2), None]
    );
    assert_eq!(History::load(&state, 4).unwrap(), found);
    let dropped = History::load(&state, 0).unwrap();
    assert_eq!(dropped.last().map(|stage| stage.set.revision), Some(2));
    assert_eq!(revision_of(&dropped, 4), None);
}
