use proptest::prelude::*;

use super::*;

/// A header as the kernel writes it.
fn header(kind: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(u32::try_from(length).unwrap().to_ne_bytes());
    for value in [1u64, 2, 3, 4, 5] {
        bytes.extend(value.to_ne_bytes());
    }
    for value in [6u32, 7, 8, 9, 10, 11] {
        bytes.extend(value.to_ne_bytes());
    }
    bytes.extend(b"MainThread\0\0\0\0\0\0");
    assert_eq!(bytes.len(), 88);
    bytes
}

struct Fields {
    action: u32,
    verdict: u32,
    cell: u32,
    reason: u32,
    address_len: u16,
}

const DENIED_READ: Fields = Fields {
    action: 0,
    verdict: 2,
    cell: 10,
    reason: 0,
    address_len: 0,
};

fn operation(fields: &Fields, path: &[u8], exe: &[u8]) -> Vec<u8> {
    let mut bytes = header(1, 160 + path.len() + exe.len());
    for value in [
        fields.action,
        fields.verdict,
        fields.cell,
        fields.reason,
        1,
        12,
        13,
        14,
    ] {
        bytes.extend(value.to_ne_bytes());
    }
    bytes.extend(15u64.to_ne_bytes());
    bytes.extend([192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let lengths = [path.len(), exe.len()].map(|length| u16::try_from(length).unwrap());
    for value in [fields.address_len, 443, 6, lengths[0], lengths[1], 0, 0, 0] {
        bytes.extend(value.to_ne_bytes());
    }
    bytes.extend(path);
    bytes.extend(exe);
    bytes
}

#[test]
fn reads_a_decision_about_a_file() {
    let bytes = operation(&DENIED_READ, b"/h/\xff id", b"/usr/bin/cat");
    let Record::Operation(origin, operation) = Record::parse(&bytes).unwrap() else {
        panic!("not an operation");
    };
    assert_eq!(
        (origin.boot_ns, origin.session, origin.tgid, origin.tid),
        (1, 2, 6, 7)
    );
    assert_eq!((origin.uid, origin.gid, origin.generation), (9, 10, 11));
    assert_eq!(origin.comm, b"MainThread");
    assert_eq!(
        (operation.action, operation.verdict),
        (Action::FileRead, Verdict::Deny)
    );
    assert!(operation.matched && !operation.monitored);
    assert_eq!(
        operation.exe,
        Place {
            dev: 14,
            ino: 0,
            path: b"/usr/bin/cat".to_vec()
        }
    );
    let place = Place {
        dev: 13,
        ino: 15,
        path: b"/h/\xff id".to_vec(),
    };
    assert_eq!(operation.object, Object::File(place));
}

#[test]
fn reads_a_decision_about_an_address() {
    let fields = Fields {
        action: 3,
        cell: 4,
        address_len: 4,
        ..DENIED_READ
    };
    let Record::Operation(_, four) = Record::parse(&operation(&fields, b"", b"")).unwrap() else {
        panic!("not an operation");
    };
    let ip = Some("192.0.2.1".parse().unwrap());
    assert_eq!(
        four.object,
        Object::Address {
            ip,
            port: 443,
            protocol: 6
        }
    );
    assert!(four.monitored);
    let fields = Fields {
        action: 3,
        address_len: 16,
        ..DENIED_READ
    };
    let Record::Operation(_, six) = Record::parse(&operation(&fields, b"", b"")).unwrap() else {
        panic!("not an operation");
    };
    let ip = Some("c000:201::1".parse().unwrap());
    assert_eq!(
        six.object,
        Object::Address {
            ip,
            port: 443,
            protocol: 6
        }
    );
}

#[test]
fn reads_a_program() {
    for kind in 2..=4 {
        let mut bytes = header(kind, 88 + 24 + 3);
        for value in [21u32, 22] {
            bytes.extend(value.to_ne_bytes());
        }
        bytes.extend(23u64.to_ne_bytes());
        for value in [8u32, 3] {
            bytes.extend(value.to_ne_bytes());
        }
        bytes.extend(b"/sh");
        let record = Record::parse(&bytes).unwrap();
        let program = match &record {
            Record::AgentStarted(_, program) if kind == 2 => program,
            Record::ProcessExeced(_, program) if kind == 3 => program,
            Record::ProcessExited(_, program) if kind == 4 => program,
            other => panic!("kind {kind} became {other:?}"),
        };
        let file = Place {
            dev: 22,
            ino: 23,
            path: b"/sh".to_vec(),
        };
        assert_eq!(
            program,
            &Program {
                agent_type: 21,
                flags: 8,
                file
            }
        );
        assert_eq!(record.origin().cgroup_id, 5);
    }
}

#[test]
fn refuses_what_the_kernel_does_not_write() {
    let good = operation(&DENIED_READ, b"/a", b"/b");
    assert!(Record::parse(&good).is_ok());
    let refused = |bytes: &[u8]| Record::parse(bytes).unwrap_err().problem;
    assert_eq!(
        refused(&good[..good.len() - 1]),
        "its length field says otherwise"
    );
    assert_eq!(refused(b""), "shorter than its header");
    let mut kind = good.clone();
    kind[0] = 9;
    assert_eq!(refused(&kind), "unknown kind");
    let of = |fields: Fields| refused(&operation(&fields, b"", b""));
    assert_eq!(
        of(Fields {
            action: 5,
            ..DENIED_READ
        }),
        "unknown action"
    );
    assert_eq!(
        of(Fields {
            verdict: 3,
            ..DENIED_READ
        }),
        "unknown verdict"
    );
    assert_eq!(
        of(Fields {
            reason: 7,
            ..DENIED_READ
        }),
        "unknown reason"
    );
    assert_eq!(
        of(Fields {
            action: 3,
            address_len: 5,
            ..DENIED_READ
        }),
        "an address of unknown length"
    );
    assert_eq!(
        refused(&operation(&DENIED_READ, b"", &[0; 257])),
        "a path longer than its limit"
    );
    let mut path_len = good.clone();
    path_len[150..152].copy_from_slice(&1u16.to_ne_bytes());
    assert_eq!(refused(&path_len), "bytes left over");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Record::parse(&bytes);
    }

    #[test]
    fn never_panics_on_a_damaged_record(at in 0usize..168, value: u8) {
        let mut bytes = operation(&DENIED_READ, b"/etc/x", b"/b");
        bytes[at] = value;
        let _ = Record::parse(&bytes);
    }
}
