//! What the other tests assume of the kernel they run on.

use tyr::kernel::features;
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::object::EnforcementMode;
use tyr::kernel::selftest;

use crate::guest::{GUEST, deny, install, policy};

#[test]
fn the_kernel_can_enforce() {
    let list = features::lsm_list().expect("securityfs");
    assert!(
        list.split(',').any(|name| name == "bpf"),
        "active LSMs: {list}"
    );
    assert!(features::has_btf());
    assert!(features::has_bpf_fs());
    assert_eq!(
        GUEST.programs.mode(),
        EnforcementMode::Lsm,
        "{:?}",
        GUEST.programs.limits()
    );
}

#[test]
fn the_doctor_proves_what_it_says() {
    let report = tyr::kernel::doctor::report();
    assert_eq!(report.mode, "lsm", "{report}");
    assert!(report.proven, "{report}");
    assert!(report.limits.is_empty(), "{report}");
}

#[test]
fn the_self_test_runs_beside_the_image_in_force() {
    let _turn = policy(&deny("exec", "/nowhere"));
    let proof = selftest::prove_alone(&GUEST.programs).unwrap();
    assert!(proof.holds(), "{proof:?}");
    // Without its rules nothing is denied, and the proof says so.
    let generation = install(&deny("exec", "/nowhere"));
    let proof = selftest::prove(&GUEST.programs, generation, 0).unwrap();
    assert_eq!(
        proof,
        selftest::Proof {
            open: 0,
            exec: 0,
            connect: proof.connect
        }
    );
    assert_ne!(proof.connect, libc::EPERM);
}

#[test]
fn the_functions_do_what_the_hooks_do() {
    let _turn = policy(&deny("exec", "/nowhere"));
    let options = LoadOptions {
        pin_dir: None,
        scope: None,
        mode_limit: EnforcementMode::FmodRet,
    };
    let programs = Programs::load(&options).unwrap();
    assert_eq!(
        programs.mode(),
        EnforcementMode::FmodRet,
        "{:?}",
        programs.limits()
    );
    assert_eq!(programs.limits().len(), 1, "it says that it is weaker");
    assert!(selftest::prove_alone(&programs).unwrap().holds());
}
