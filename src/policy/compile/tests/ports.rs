//! Conditions on ports and protocols.

use super::*;

fn connections(name: &str, verdict: Verdict, networks: &[&str], condition: &str) -> Rule {
    let networks = networks.iter().map(|text| parse_cidr(text).unwrap());
    let (allow, deny) = match verdict {
        Verdict::Allow => (networks.collect(), Vec::new()),
        Verdict::Deny | Verdict::Alert => (Vec::new(), networks.collect()),
    };
    let condition = (!condition.is_empty())
        .then(|| Condition::parse(condition, Action::NetConnect).expect("a condition"));
    Rule {
        matches: Match::Address(AddressMatch::new(verdict, allow, deny)),
        condition,
        ..rule(Action::NetConnect, name, verdict)
    }
}

#[test]
fn every_port_and_protocol_has_its_answer() {
    let policies = [
        policy(
            "p",
            Mode::Enforce,
            vec![
                connections(
                    "web",
                    Verdict::Allow,
                    &["10.0.0.0/8"],
                    "resource.port in [80, 443]",
                ),
                connections(
                    "low",
                    Verdict::Deny,
                    &["10.0.0.0/8", "::1"],
                    "resource.port < 1024 && resource.protocol != \"udp\"",
                ),
                connections(
                    "ssh",
                    Verdict::Deny,
                    &["127.0.0.0/8"],
                    "resource.port == 22",
                ),
                connections("high", Verdict::Alert, &[], "resource.port >= 32769"),
            ],
        ),
        policy(
            "q",
            Mode::Monitor,
            vec![connections(
                "icmp",
                Verdict::Deny,
                &[],
                "resource.protocol == \"1\"",
            )],
        ),
    ];
    let tables = compiled(&policies, &[], &[codex()]);
    let ports = [
        0, 1, 21, 22, 23, 79, 80, 81, 255, 256, 442, 443, 444, 1023, 1024, 32768, 32769, 65535,
    ];
    for ip in [
        "10.1.2.3",
        "127.0.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "::2",
        "::ffff:127.0.0.1",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        for (port, protocol) in ports
            .into_iter()
            .flat_map(|port| (0..=262).map(move |number| (port, Protocol::from_number(number))))
        {
            let object = Target::Address { ip, port, protocol };
            let cell = tables.decide(tables.slots[0], Target::Unknown, Action::NetConnect, object);
            let resource = Resource::Address { ip, port, protocol };
            let request = Request {
                principal: codex(),
                action: Action::NetConnect,
                resource,
                moment: None,
            };
            same(cell, &policies, &request)
                .unwrap_or_else(|error| panic!("{ip} {port} {protocol:?}: {error}"));
        }
    }
    let object = Target::Unknown;
    let cell = tables.decide(tables.slots[0], Target::Unknown, Action::NetConnect, object);
    assert_eq!((cell.verdict, cell.monitored), (Verdict::Deny, false));
}

#[test]
fn ports_cost_nothing_where_no_rule_asks() {
    let lists = |rules| [policy("p", Mode::Enforce, rules)];
    let ten = || connections("ten", Verdict::Deny, &["10.0.0.0/8"], "");
    let plain = compiled(&lists(vec![ten()]), &[], &[codex()]);
    let ssh = connections(
        "ssh",
        Verdict::Deny,
        &["127.0.0.0/8"],
        "resource.port == 22",
    );
    let ported = compiled(&lists(vec![ten(), ssh]), &[], &[codex()]);
    let ends = |tables: &Compiled, key: &[u8]| {
        let state = tables.net.walk(tables.net_start4, key);
        tables.net.is_absorbing(state)
    };
    assert!(ends(&plain, &[10]) && ends(&plain, &[127]));
    assert!(ends(&ported, &[10]) && ends(&ported, &[11]));
    assert!(!ends(&ported, &[127, 0, 0, 1]), "the port decides");
    assert!(ends(&ported, &[127, 0, 0, 1, 1]), "no port from 256 to 511");
    assert!(ends(&ported, &[127, 0, 0, 1, 0, 22]), "any protocol");
    // What is decided before the condition is asked needs no port either.
    let shadowed = connections(
        "late",
        Verdict::Alert,
        &["10.0.0.0/8"],
        "resource.port == 22",
    );
    let shadowed = compiled(&lists(vec![ten(), shadowed]), &[], &[codex()]);
    assert_eq!(shadowed.net.labels.len(), plain.net.labels.len());
}
