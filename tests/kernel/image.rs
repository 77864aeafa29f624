//! Single properties of images and of the walk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tyr::kernel::decide::{DecideEngine, Question};
use tyr::model::action::Action;
use tyr::model::resource::Protocol;
use tyr::model::verdict::{Mode, Severity, Verdict};
use tyr::policy::compile::{Alias, Compiled, Input, Superblock, Target, compile};
use tyr::policy::network::{AddressMatch, parse_cidr};
use tyr::policy::pattern::Pattern;
use tyr::policy::principal::Principal;
use tyr::policy::rule::{Effective, Match, Policy, Rule};
use tyr::policy::signatures::Signatures;

fn rule(action: Action, matches: Match, verdict: Verdict) -> Rule {
    Rule {
        name: "rule".to_owned(),
        description: String::new(),
        action,
        verdict,
        severity: Severity::Low,
        binaries: Vec::new(),
        agent_types: Vec::new(),
        matches,
        condition: None,
        line: 0,
    }
}

fn path_rule(pattern: &str, verdict: Verdict) -> Rule {
    let pattern = Pattern::parse(pattern).expect("pattern");
    rule(Action::FileRead, Match::Path(vec![pattern]), verdict)
}

fn tables(rules: Vec<Rule>, superblocks: &[Superblock]) -> Compiled {
    let policy = Policy {
        name: "p".to_owned(),
        description: String::new(),
        labels: BTreeMap::new(),
        rules,
        disabled: Vec::new(),
    };
    let policies = [Effective {
        policy: Arc::new(policy),
        version: 1,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    }];
    let signatures = Signatures::builtin();
    compile(&Input {
        policies: &policies,
        signatures: &signatures,
        host: &Principal::default(),
        superblocks,
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    })
    .expect("compiles")
}

fn engine(tables: &Compiled) -> DecideEngine {
    let mut engine = DecideEngine::new().expect("the decision programs load");
    engine.install(tables).expect("the image is installed");
    engine
}

fn read<'a>(tables: &Compiled, object: Target<'a>) -> Question<'a> {
    let slot = tables.unknown_slot;
    Question {
        slot,
        exe: Target::Unknown,
        action: Action::FileRead,
        object,
    }
}

#[test]
fn long_paths_are_walked_to_their_end_and_longer_ones_are_unknown() {
    let tables = tables(
        vec![
            path_rule("**/end", Verdict::Alert),
            path_rule("/never/**", Verdict::Deny),
        ],
        &[],
    );
    let mut engine = engine(&tables);
    for length in [4, 63, 64, 65, 127, 128, 129, 1000, 4090, 4096] {
        let mut path = vec![b'x'; length - 4];
        path.extend(b"/end");
        path[0] = b'/';
        let answers = engine
            .ask(&[read(&tables, Target::Path(&path))])
            .expect("answers");
        assert_eq!(answers[0].cell.verdict, Verdict::Alert, "{length}");
        path[length - 1] = b'x';
        let answers = engine
            .ask(&[read(&tables, Target::Path(&path))])
            .expect("answers");
        assert_eq!(answers[0].cell.verdict, Verdict::Allow, "{length}");
    }
    let too_long = vec![b'/'; 4097];
    let unknown = [
        read(&tables, Target::Path(&too_long)),
        read(&tables, Target::Unknown),
        read(&tables, Target::Inside(77, b"/x")),
    ];
    for answer in engine.ask(&unknown).expect("answers") {
        assert_eq!(answer.cell.verdict, Verdict::Deny);
    }
}

#[test]
fn automata_of_many_pages_are_walked_across_them() {
    let rules: Vec<Rule> = (0..6_000u64)
        .map(|index| {
            let name = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            path_rule(&format!("/data/{name:016x}/secret"), Verdict::Deny)
        })
        .collect();
    let tables = tables(rules, &[]);
    let words = tables.paths.next.len() + tables.paths.labels.len();
    assert!(
        words > 8 * 65_536,
        "{words} words are too few pages to cross"
    );
    let mut engine = engine(&tables);
    let paths: Vec<String> = (0..6_000u64)
        .map(|index| {
            format!(
                "/data/{:016x}/secret",
                index.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
        })
        .collect();
    let near: Vec<String> = paths
        .iter()
        .map(|path| path.replace("secret", "secrex"))
        .collect();
    let ask = |engine: &mut DecideEngine, paths: &[String]| -> Vec<Verdict> {
        let questions: Vec<Question<'_>> = paths
            .iter()
            .map(|path| read(&tables, Target::Path(path.as_bytes())))
            .collect();
        let answers = engine.ask(&questions).expect("answers");
        answers
            .into_iter()
            .map(|answer| answer.cell.verdict)
            .collect()
    };
    assert!(
        ask(&mut engine, &paths)
            .iter()
            .all(|&verdict| verdict == Verdict::Deny)
    );
    assert!(
        ask(&mut engine, &near)
            .iter()
            .all(|&verdict| verdict == Verdict::Allow)
    );
}

#[test]
fn file_systems_are_found_in_a_crowded_table() {
    let superblocks: Vec<Superblock> = (1..=1_000u32)
        .map(|number| Superblock {
            dev: (number << 20) | (number % 7),
            aliases: vec![Alias {
                root: b"/".to_vec(),
                mount_point: format!("/mnt/{number}").into_bytes(),
            }],
        })
        .collect();
    let tables = tables(vec![path_rule("/mnt/*7/x", Verdict::Deny)], &superblocks);
    let mut engine = engine(&tables);
    let questions: Vec<Question<'_>> = superblocks
        .iter()
        .map(|superblock| read(&tables, Target::Inside(superblock.dev, b"/x")))
        .collect();
    let answers = engine.ask(&questions).expect("answers");
    for (number, answer) in (1..).zip(answers) {
        let expected = if number % 10 == 7 {
            Verdict::Deny
        } else {
            Verdict::Allow
        };
        assert_eq!(answer.cell.verdict, expected, "{number}");
    }
}

#[test]
fn addresses_are_decided_whatever_the_port() {
    let deny = ["10.0.0.0/8", "2001:db8::/33", "127.0.0.1"];
    let deny = deny.map(|text| parse_cidr(text).expect("network")).to_vec();
    let matches = Match::Address(AddressMatch::new(Verdict::Deny, Vec::new(), deny));
    let tables = tables(vec![rule(Action::NetConnect, matches, Verdict::Deny)], &[]);
    let mut engine = engine(&tables);
    for (ip, expected) in [
        ("10.255.0.1", Verdict::Deny),
        ("11.0.0.0", Verdict::Allow),
        ("::ffff:10.0.0.1", Verdict::Deny),
        ("0.0.0.0", Verdict::Deny),
        ("2001:db8:7fff::", Verdict::Deny),
        ("2001:db8:8000::", Verdict::Allow),
    ] {
        let ip: IpAddr = ip.parse().expect("address");
        for (port, protocol) in [
            (0, Protocol::Tcp),
            (65_535, Protocol::Udp),
            (443, Protocol::Other(300)),
        ] {
            let object = Target::Address { ip, port, protocol };
            let question = Question {
                action: Action::NetConnect,
                ..read(&tables, object)
            };
            let answers = engine.ask(&[question]).expect("answers");
            assert_eq!(answers[0].cell.verdict, expected, "{ip} {port}");
        }
    }
}

#[test]
fn addresses_are_found_across_many_pages() {
    let number = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    let four = (1..400).map(|index| IpAddr::V4((number(index) as u32).into()));
    let six = (1..100).map(|index| IpAddr::V6((u128::from(number(index)) << 61 | 0x9).into()));
    let denied: Vec<IpAddr> = four.chain(six).collect();
    let deny = denied.iter().map(|&ip| ip.into()).collect();
    let matches = Match::Address(AddressMatch::new(Verdict::Deny, Vec::new(), deny));
    let tables = tables(vec![rule(Action::NetConnect, matches, Verdict::Deny)], &[]);
    let words = tables.net.next.len() + tables.net.labels.len();
    assert!(
        words > 4 * 65_536,
        "{words} words are too few pages to cross"
    );
    let mut engine = engine(&tables);
    let near = denied.iter().map(|ip| match ip {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(*ip) ^ 1).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(*ip) ^ 1).into()),
    });
    let near: Vec<IpAddr> = near.filter(|ip| !denied.contains(ip)).collect();
    assert!(near.len() > 490, "{}", near.len());
    let mut ask = |ips: &[IpAddr], expected: Verdict| {
        let questions: Vec<Question<'_>> = ips
            .iter()
            .map(|&ip| Question {
                action: Action::NetConnect,
                ..read(
                    &tables,
                    Target::Address {
                        ip,
                        port: 443,
                        protocol: Protocol::Tcp,
                    },
                )
            })
            .collect();
        let answers = engine.ask(&questions).expect("answers");
        for (ip, answer) in ips.iter().zip(answers) {
            assert_eq!(answer.cell.verdict, expected, "{ip}");
        }
    };
    ask(&denied, Verdict::Deny);
    ask(&near, Verdict::Allow);
}

#[test]
fn signatures_are_recognised_by_the_program() {
    let tables = tables(Vec::new(), &[]);
    let mut engine = engine(&tables);
    let signatures = Signatures::builtin();
    for path in [
        "/usr/bin/python3.11",
        "/opt/node_modules/@anthropic-ai/claude-code/bin/claude.exe",
        "/venv/lib/python3.11/site-packages/langgraph/graph/state.py",
        "/usr/bin/git",
    ] {
        let target = Target::Path(path.as_bytes());
        let question = Question {
            exe: target,
            ..read(&tables, target)
        };
        let answer = engine.ask(&[question]).expect("answers")[0];
        let known = signatures.recognise(path.as_bytes());
        assert_eq!(
            answer.signature & 0xffff,
            u32::from(known.exe.unwrap_or(0)),
            "{path}"
        );
        assert_eq!(answer.signature >> 16 == 1, known.interpreter, "{path}");
        assert_eq!(answer.opened, u32::from(known.open.unwrap_or(0)), "{path}");
    }
}

#[test]
fn a_swap_changes_the_answer_and_the_generation() {
    let denying = tables(vec![path_rule("/x", Verdict::Deny)], &[]);
    let allowing = tables(Vec::new(), &[]);
    let mut engine = DecideEngine::new().expect("the decision programs load");
    assert!(
        engine.ask(&[read(&denying, Target::Path(b"/x"))]).is_err(),
        "nothing is installed"
    );
    for (tables, expected) in [
        (&denying, Verdict::Deny),
        (&allowing, Verdict::Allow),
        (&denying, Verdict::Deny),
    ] {
        let generation = engine.install(tables).expect("the image is installed");
        let answer = engine
            .ask(&[read(tables, Target::Path(b"/x"))])
            .expect("answers")[0];
        assert_eq!(
            (answer.cell.verdict, answer.generation),
            (expected, generation)
        );
    }
}
