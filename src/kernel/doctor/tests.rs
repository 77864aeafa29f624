use super::*;

fn sample(proof: Option<Proof>) -> Report {
    Report {
        kernel: "6.1.0".to_owned(),
        facts: facts(),
        mode: "lsm",
        limits: vec!["a limit".to_owned()],
        proven: proof.is_some_and(Proof::holds),
        proof,
        pinned: false,
        skipped: BTreeMap::new(),
        canary: None,
        alarm: String::new(),
    }
}

#[test]
fn a_skipped_program_is_shown_and_proves_the_opposite() {
    let mut report = sample(Some(Proof {
        open: libc::EPERM,
        exec: libc::EPERM,
        connect: libc::EPERM,
    }));
    assert!(report.can_enforce());
    report.skipped.insert("fmod_file_open".to_owned(), 3);
    assert!(!report.can_enforce());
    assert!(
        report
            .to_string()
            .contains("SKIPPED  fmod_file_open: 3 operations")
    );
}

#[test]
fn a_proof_holds_only_when_all_three_were_refused() {
    let eperm = libc::EPERM;
    assert!(
        Proof {
            open: eperm,
            exec: eperm,
            connect: eperm
        }
        .holds()
    );
    for (open, exec, connect) in [(0, eperm, eperm), (eperm, 0, eperm), (eperm, eperm, 101)] {
        assert!(
            !Proof {
                open,
                exec,
                connect
            }
            .holds()
        );
    }
}

#[test]
fn the_report_says_what_was_not_denied() {
    let text = sample(Some(Proof {
        open: 1,
        exec: 0,
        connect: 1,
    }))
    .to_string();
    assert!(
        text.contains("proof    open denied, exec NOT DENIED, connect denied"),
        "{text}"
    );
    assert!(text.contains("limit    a limit"), "{text}");
    assert!(sample(None).to_string().contains("proof    not tried"));
}

#[test]
fn every_missing_fact_has_advice() {
    for fact in facts() {
        assert_eq!(
            fact.status == Status::Ok,
            fact.advice.is_empty() && fact.status == Status::Ok
        );
        if fact.status == Status::Missing {
            assert!(!fact.advice.is_empty(), "{}", fact.name);
        }
    }
}

#[test]
fn the_report_of_this_machine_is_json() {
    let report = report();
    assert_eq!(report.can_enforce(), report.proof.is_some_and(Proof::holds));
    assert!(
        report.proven || !report.limits.is_empty(),
        "a host that cannot enforce says why"
    );
    let value = serde_json::to_value(&report).unwrap();
    assert!(value["facts"].as_array().unwrap().len() >= 8);
    assert!(["lsm", "fmod_ret", "observe"].contains(&value["mode"].as_str().unwrap()));
}

#[test]
fn the_self_test_policy_binds_only_its_own_agent() {
    let effective = selftest::policy();
    assert_eq!(effective.agent_types, [selftest::AGENT_TYPE]);
    assert_eq!(effective.policy.rules.len(), 3);
}

#[test]
fn a_daemon_that_proves_nothing_is_an_alarm() {
    let eperm = libc::EPERM;
    let mut report = sample(Some(Proof {
        open: eperm,
        exec: eperm,
        connect: eperm,
    }));
    assert!(report.can_enforce());
    report.canary = Some(canary::State {
        at_boot_ms: 0,
        every_ms: 5_000,
        unproven: String::new(),
    });
    assert!(report.can_enforce());
    assert!(report.to_string().contains("canary   denied its decoy"));
    report.alarm = "open was not denied".to_owned();
    assert!(!report.can_enforce());
    let text = report.to_string();
    assert!(
        text.contains("canary   ALARM: open was not denied"),
        "{text}"
    );
}
