use super::*;

#[test]
fn every_rule_has_its_number_and_name() {
    for (number, (rule, name)) in (1u16..).zip(RULES) {
        assert_eq!(OwnRule::from_number(number), Some(rule));
        assert_eq!(rule.name(), name);
    }
    assert_eq!(OwnRule::from_number(0), None);
    let rules = crate::kernel::abi::TYR_OWN_RULES;
    assert_eq!(RULES.len() + 1, rules as usize);
}

#[test]
fn acts_name_what_was_tried() {
    let act = |rule, argument, tgid| {
        let comm = b"tyrd".to_vec();
        Act {
            rule,
            argument,
            tgid,
            comm,
        }
        .to_string()
    };
    let cases = [
        (
            act(OwnRule::Signal, 9, 12),
            "signal SIGKILL to process 12 (tyrd)",
        ),
        (
            act(OwnRule::Signal, 50, 12),
            "signal 50 to process 12 (tyrd)",
        ),
        (
            act(OwnRule::Trace, 0x12, 12),
            "attaching to process 12 (tyrd)",
        ),
        (
            act(OwnRule::Trace, 0x9, 12),
            "looking into process 12 (tyrd)",
        ),
        (act(OwnRule::Setting, 0, 12), "limits of process 12 (tyrd)"),
        (act(OwnRule::Bpf, 5, 0), "bpf command 5"),
        (
            act(OwnRule::Capability, 22, 0),
            "CAP_SYS_BOOT: reboot and kexec",
        ),
        (
            act(OwnRule::Ioctl, 0x5412, 0),
            "ioctl TIOCSTI: typing into a terminal",
        ),
        (
            act(OwnRule::Ioctl, 0xc004_5877, 0),
            "ioctl FIFREEZE: no file system can be written",
        ),
        (
            act(OwnRule::Setting, 5, 12),
            "control group of process 12 (tyrd)",
        ),
    ];
    for (said, expected) in cases {
        assert_eq!(said, expected);
    }
}
