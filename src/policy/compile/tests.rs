use std::sync::Arc;

use super::*;
use crate::model::resource::Resource;
use crate::model::verdict::{Mode, Severity};
use crate::policy::condition::Condition;
use crate::policy::evaluate::{Request, evaluate};
use crate::policy::fact::Fact;
use crate::policy::network::{AddressMatch, parse_cidr};
use crate::policy::rule::{Match, Policy, Rule};

use crate as tyr;

mod ports;
mod random;

use random::Random;

fn rule(action: Action, pattern: &str, verdict: Verdict) -> Rule {
    Rule {
        name: pattern.to_owned(),
        description: String::new(),
        action,
        verdict,
        severity: Severity::Low,
        binaries: Vec::new(),
        agent_types: Vec::new(),
        matches: Match::Path(vec![Pattern::parse(pattern).unwrap()]),
        condition: None,
        line: 0,
    }
}

fn policy(name: &str, mode: Mode, rules: Vec<Rule>) -> Effective {
    let policy = Policy {
        name: name.to_owned(),
        description: String::new(),
        labels: BTreeMap::new(),
        rules,
        disabled: Vec::new(),
    };
    Effective {
        policy: Arc::new(policy),
        version: 1,
        mode,
        agent_types: Vec::new(),
    }
}

fn compiled(policies: &[Effective], superblocks: &[Superblock], slots: &[Principal]) -> Compiled {
    let signatures = Signatures::builtin();
    compile(&Input {
        policies,
        signatures: &signatures,
        host: &Principal::default(),
        superblocks,
        slots,
        moment: None,
        unmatched_is_silent: false,
    })
    .unwrap()
}

fn codex() -> Principal {
    Principal::of_type("codex")
}

fn alias(root: &str, mount_point: &str) -> Alias {
    Alias {
        root: root.into(),
        mount_point: mount_point.into(),
    }
}

fn same(cell: Cell, policies: &[Effective], request: &Request) -> Result<(), String> {
    let wanted = evaluate(policies, request);
    let wanted = (wanted.verdict, !wanted.enforced, wanted.deciding.is_some());
    if wanted == (cell.verdict, cell.monitored, cell.matched) {
        return Ok(());
    }
    Err(format!("evaluator {wanted:?}, tables {cell:?}"))
}

#[test]
fn a_packed_cell_is_the_cell() {
    for verdict in [Verdict::Allow, Verdict::Alert, Verdict::Deny] {
        for flags in 0..8 {
            let cell = Cell {
                verdict,
                monitored: flags & 1 != 0,
                matched: flags & 2 != 0,
                silent: flags & 4 != 0,
            };
            assert_eq!(Cell::from(PackedCell::from(cell)), cell);
        }
    }
}

#[test]
fn what_is_unknown_meets_rules_about_everything_in_their_order() {
    let some = |verdict| rule(Action::FileRead, "/x/**", verdict);
    let all = |verdict| rule(Action::FileRead, "*", verdict);
    use Verdict::{Alert, Allow, Deny};
    let lists = [
        (vec![all(Allow), some(Deny)], Allow, true),
        (vec![some(Allow), all(Allow), some(Deny)], Allow, true),
        (vec![some(Allow), some(Deny), all(Allow)], Deny, true),
        (vec![some(Alert), all(Alert), some(Deny)], Alert, true),
        (vec![some(Allow)], Allow, false),
    ];
    for (rules, verdict, matched) in lists {
        let policies = [policy("p", Mode::Enforce, rules)];
        let tables = compiled(&policies, &[], &[codex()]);
        let object = Target::Unknown;
        let cell = tables.decide(tables.slots[0], Target::Unknown, Action::FileRead, object);
        assert_eq!((cell.verdict, cell.matched), (verdict, matched));
    }
}

#[test]
fn the_complete_example_decides_as_printed() {
    let mut rules = vec![
        rule(Action::FileRead, "/home/*/.aws/credentials", Verdict::Deny),
        rule(Action::FileRead, "/home/*/.ssh/**", Verdict::Deny),
        rule(Action::Exec, "/usr/bin/git", Verdict::Allow),
        rule(Action::Exec, "*", Verdict::Deny),
    ];
    rules.push(Rule {
        matches: Match::ServerName(None),
        ..rule(Action::TlsConnect, "deny-other-tls", Verdict::Deny)
    });
    let policies = [policy("production-ai-agents", Mode::Enforce, rules)];
    let tables = compiled(&policies, &[], &[codex()]);
    let ask = |action, path: &str| {
        let cell = tables.decide(
            tables.slots[0],
            Target::Unknown,
            action,
            Target::Path(path.as_bytes()),
        );
        (cell.verdict, cell.matched)
    };
    assert_eq!(
        ask(Action::FileRead, "/home/ann/.ssh/id_rsa"),
        (Verdict::Deny, true)
    );
    assert_eq!(
        ask(Action::FileRead, "/home/ann/.ssh"),
        (Verdict::Allow, false)
    );
    assert_eq!(
        ask(Action::FileRead, "/home/ann/.aws/credentials"),
        (Verdict::Deny, true)
    );
    assert_eq!(
        ask(Action::FileWrite, "/home/ann/.ssh/id_rsa"),
        (Verdict::Allow, false)
    );
    assert_eq!(ask(Action::Exec, "/usr/bin/git"), (Verdict::Allow, true));
    assert_eq!(ask(Action::Exec, "/usr/bin/rm"), (Verdict::Deny, true));
    let unknown = tables.decide(
        tables.slots[0],
        Target::Unknown,
        Action::FileRead,
        Target::Unknown,
    );
    assert_eq!(unknown.verdict, Verdict::Deny);
    assert_eq!(tables.limits.len(), 1);
    assert!(
        tables.limits[0].contains("deny-other-tls") && tables.limits[0].contains("--tls-capture")
    );
}

#[test]
fn many_denied_folders_are_one_class() {
    let rules = (0..200)
        .map(|index| {
            rule(
                Action::FileRead,
                &format!("**/secret-{index}/**"),
                Verdict::Deny,
            )
        })
        .collect();
    let policies = [policy("p", Mode::Enforce, rules)];
    let tables = compiled(&policies, &[], &[codex()]);
    assert_eq!(tables.class_count[0], 3);
    let none = compiled(&[], &[], &[]);
    let added = tables.states_built - none.states_built;
    assert!(added < 500, "{added} of {}", tables.states_built);
    let start = tables.path_starts[0];
    let state = tables.paths.walk(start, b"/x/secret-17/y");
    assert!(tables.paths.is_absorbing(state));
    assert_eq!(state, tables.paths.walk(start, b"/secret-3/secret-4/z"));
}

#[test]
fn wildcards_that_multiply_are_refused_by_name() {
    let rules = (0..40)
        .map(|index| {
            let verdict = if index % 2 == 0 {
                Verdict::Allow
            } else {
                Verdict::Deny
            };
            rule(
                Action::FileRead,
                &format!("**/*{index:02}*/**/*x{index:02}*y"),
                verdict,
            )
        })
        .collect();
    let policies = [policy("p", Mode::Enforce, rules)];
    let signatures = Signatures::builtin();
    let error = compile(&Input {
        policies: &policies,
        signatures: &signatures,
        host: &Principal::default(),
        superblocks: &[],
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    })
    .unwrap_err();
    assert!(error.to_string().contains("`**/*"), "{error}");
}

#[test]
fn a_file_system_has_the_paths_of_its_mounts() {
    let policies = [policy(
        "p",
        Mode::Enforce,
        vec![
            rule(Action::FileRead, "/srv/secret/**", Verdict::Deny),
            rule(Action::FileRead, "/srv", Verdict::Alert),
            rule(Action::FileRead, "/data/public/**", Verdict::Deny),
        ],
    )];
    let superblocks = [
        Superblock {
            dev: 1,
            aliases: vec![alias("/", "/")],
        },
        Superblock {
            dev: 2,
            aliases: vec![alias("/", "/srv")],
        },
        Superblock {
            dev: 3,
            aliases: vec![alias("/a/secret", "/srv/secret")],
        },
        Superblock {
            dev: 4,
            aliases: vec![alias("/", "/mnt"), alias("/sub", "/srv/secret")],
        },
    ];
    let tables = compiled(&policies, &superblocks, &[codex()]);
    let ask = |dev, path: &str| {
        let object = Target::Inside(dev, path.as_bytes());
        tables
            .decide(tables.slots[0], Target::Unknown, Action::FileRead, object)
            .verdict
    };
    use Verdict::{Alert, Allow, Deny};
    for (dev, path, expected) in [
        (1, "/srv/secret/x", Deny),
        (1, "/srv", Alert),
        (2, "", Alert),
        (2, "/", Alert),
        (2, "/secret/x", Deny),
        (2, "/secret", Allow),
        (3, "/a/secret/x", Deny),
        (3, "/a/secret", Allow),
        (3, "/a/secretx/x", Deny),
        (3, "/b", Deny),
        (4, "/sub/x", Deny),
        (4, "/sub", Allow),
        (4, "/other", Allow),
        (9, "/x", Deny),
    ] {
        assert_eq!(ask(dev, path), expected, "{dev} {path}");
    }
    assert_eq!(
        alias("/a", "/").host_path(b"/a/x"),
        Some(b"/x".to_vec()),
        "a subtree mounted at the root"
    );
    assert_eq!(alias("/a", "/m").host_path(b"/ab"), None);
    assert_eq!(alias("/a", "/m").host_path(b"/a"), Some(b"/m".to_vec()));
}

#[test]
fn networks_nest_and_order_decides() {
    let net = |name: &str, verdict, allow: &[&str], deny: &[&str]| Rule {
        matches: Match::Address(AddressMatch::new(
            verdict,
            allow.iter().map(|text| parse_cidr(text).unwrap()).collect(),
            deny.iter().map(|text| parse_cidr(text).unwrap()).collect(),
        )),
        ..rule(Action::NetConnect, name, verdict)
    };
    let policies = [policy(
        "p",
        Mode::Enforce,
        vec![
            net("dns", Verdict::Allow, &["10.1.2.3"], &[]),
            net("ten", Verdict::Deny, &["10.1.0.0/16"], &["10.0.0.0/8"]),
            net("ula", Verdict::Alert, &[], &["fc00::/7"]),
            net("loop", Verdict::Deny, &[], &["127.0.0.0/8", "::1"]),
        ],
    )];
    let tables = compiled(&policies, &[], &[codex()]);
    for ip in [
        "10.1.2.3",
        "10.1.2.4",
        "10.2.0.0",
        "10.0.255.255",
        "11.0.0.0",
        "9.255.255.255",
        "0.0.0.0",
        "0.0.0.1",
        "127.0.0.1",
        "::1",
        "::",
        "::2",
        "fc00::1",
        "fdff::",
        "fe00::",
        "::ffff:10.2.3.4",
        "::ffff:127.0.0.1",
        "255.255.255.255",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let object = Target::Address {
            ip,
            port: 443,
            protocol: Protocol::Tcp,
        };
        let cell = tables.decide(tables.slots[0], Target::Unknown, Action::NetConnect, object);
        let request = Request {
            principal: codex(),
            action: Action::NetConnect,
            resource: Resource::Address {
                ip,
                port: 443,
                protocol: Protocol::Tcp,
            },
            moment: None,
        };
        same(cell, &policies, &request).unwrap_or_else(|error| panic!("{ip}: {error}"));
    }
}

#[test]
fn a_class_of_several_paths_is_asked_about_paths_that_match() {
    let mut alerted = rule(Action::Exec, "*", Verdict::Alert);
    alerted.condition = Condition::parse("resource.path like \"/ab*\"", Action::Exec).ok();
    let policies = [
        policy(
            "p",
            Mode::Enforce,
            vec![rule(Action::Exec, "/ab/*", Verdict::Deny)],
        ),
        policy("q", Mode::Enforce, vec![alerted]),
    ];
    let superblocks = [Superblock {
        dev: 1,
        aliases: vec![alias("/", "/m"), alias("/c", "/ab")],
    }];
    let tables = compiled(&policies, &superblocks, &[codex()]);
    for (inside, expected) in [
        ("/c/x", Verdict::Deny),
        ("/c", Verdict::Alert),
        ("/c/", Verdict::Alert),
        ("/x", Verdict::Allow),
    ] {
        let object = Target::Inside(1, inside.as_bytes());
        let cell = tables.decide(tables.slots[0], Target::Unknown, Action::Exec, object);
        assert_eq!(cell.verdict, expected, "{inside}");
    }
}

#[test]
fn the_signatures_are_in_the_automaton() {
    let signatures = Signatures::builtin();
    let tables = compiled(&[], &[], &[]);
    let mut random = Random::new(11);
    let mut paths: Vec<Vec<u8>> = [
        "/usr/lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe",
        "/usr/bin/python3.11",
        "/opt/x/.local/share/cursor-agent/versions/1/node",
        "/v/lib/python3/site-packages/langgraph/graph/state.py",
        "/v/site-packages/crewai/site-packages/aider/x",
    ]
    .map(|path| path.as_bytes().to_vec())
    .to_vec();
    const PARTS: [&str; 12] = [
        "site-packages",
        "dist-packages",
        "aider",
        "langgraph",
        "mcp",
        "server",
        "bin",
        "codex",
        "node",
        "python3.11",
        "agents",
        "__init__.py",
    ];
    for _ in 0..2_000 {
        let path: Vec<String> = (0..=random.below(6))
            .map(|_| format!("/{}", random.pick(&PARTS)))
            .collect();
        paths.push(path.concat().into_bytes());
    }
    for path in paths {
        let known = signatures.recognise(&path);
        let exe = tables
            .label(KIND_SIGNATURE_EXE, Target::Path(&path))
            .unwrap();
        let open = tables
            .label(KIND_SIGNATURE_OPEN, Target::Path(&path))
            .unwrap();
        let shown = String::from_utf8_lossy(&path);
        assert_eq!(exe & 0xffff, u32::from(known.exe.unwrap_or(0)), "{shown}");
        assert_eq!(exe >> 16 == 1, known.interpreter, "{shown}");
        assert_eq!(open, u32::from(known.open.unwrap_or(0)), "{shown}");
    }
}

#[test]
fn tables_answer_as_the_evaluator() {
    let seed = 20_261_121;
    for round in 0..200 {
        let mut random = Random::new(seed + round);
        let policies = random.policies();
        let superblocks = random.superblocks();
        let slots: Vec<Principal> = (0..4).map(|_| random.principal()).collect();
        let signatures = Signatures::default();
        let moment = random.moment();
        let tables = compile(&Input {
            policies: &policies,
            signatures: &signatures,
            host: &Principal::default(),
            superblocks: &superblocks,
            slots: &slots,
            moment,
            unmatched_is_silent: false,
        })
        .unwrap();
        for _ in 0..100 {
            let slot = random.below(slots.len());
            let (action, resource, dev, inside) = random.object(&superblocks);
            let exe = random.exe();
            let request = Request {
                principal: Principal {
                    exe: exe.clone(),
                    ..slots[slot].clone()
                },
                action,
                resource,
                moment,
            };
            let exe = exe.known().map_or(Target::Unknown, |exe| Target::Path(exe));
            let object = match &request.resource {
                Resource::Address { ip, port, protocol } => Target::Address {
                    ip: *ip,
                    port: *port,
                    protocol: *protocol,
                },
                _ => dev.map_or(Target::Path(&inside), |dev| Target::Inside(dev, &inside)),
            };
            let cell = tables.decide(tables.slots[slot], exe, action, object);
            if let Err(error) = same(cell, &policies, &request) {
                let inside = String::from_utf8_lossy(&inside);
                panic!(
                    "seed {}: {error}\n{request:?}\n{dev:?} {inside}\n{superblocks:?}\n{policies:#?}",
                    seed + round
                );
            }
        }
    }
}

#[test]
fn the_clock_matters_only_to_rules_that_read_it() {
    let now: Zoned = "2026-11-21T21:30:00+00:00[UTC]".parse().unwrap();
    let mut timed = rule(Action::Exec, "*", Verdict::Deny);
    let plain = policy("p", Mode::Enforce, vec![timed.clone()]);
    assert_eq!(next_boundary(std::slice::from_ref(&plain), &now), None);
    timed.condition = Condition::parse("context.hour > 20", Action::Exec).ok();
    let next = next_boundary(&[plain, policy("q", Mode::Enforce, vec![timed])], &now).unwrap();
    assert_eq!(next.to_string(), "2026-11-21T22:00:00+00:00[UTC]");
}

#[test]
fn unknown_facts_restrict_until_a_session_is_known() {
    let mut allowed = rule(Action::FileRead, "/etc/app/*", Verdict::Allow);
    allowed.condition = Condition::parse("principal.user == \"ann\"", Action::FileRead).ok();
    let policies = [policy(
        "p",
        Mode::Enforce,
        vec![allowed, rule(Action::FileRead, "/etc/app/*", Verdict::Deny)],
    )];
    let ann = Principal {
        user: Fact::Known("ann".into()),
        ..codex()
    };
    let tables = compiled(&policies, &[], &[ann]);
    let ask = |slot| {
        let object = Target::Path(b"/etc/app/x");
        tables
            .decide(slot, Target::Unknown, Action::FileRead, object)
            .verdict
    };
    assert_eq!(ask(tables.slots[0]), Verdict::Allow);
    let codex = Signatures::builtin().number("codex").unwrap();
    assert_eq!(ask(tables.type_slot[&codex]), Verdict::Deny);
    assert_eq!(ask(tables.unknown_slot), Verdict::Deny);
    assert_eq!(tables.slot_count, 2);
}
