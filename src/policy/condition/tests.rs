use super::*;
use crate::policy::fact::Fact;
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;

fn parse(text: &str) -> Condition {
    Condition::parse(text, Action::Exec).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn known() -> Principal {
    Principal {
        agent_types: Fact::Known(vec!["autogen".to_owned()]),
        agent_id: Fact::Known("a-1".to_owned()),
        host: Fact::Known("web-1".to_owned()),
        host_labels: Fact::Known([("env".to_owned(), "production".to_owned())].into()),
        user: Fact::Known("deploy".to_owned()),
        uid: Fact::Known(1000),
        exe: Fact::Known(b"/usr/bin/python3.11".to_vec()),
        container: Fact::Known(String::new()),
        interactive: Fact::Known(false),
    }
}

fn night() -> Option<Moment> {
    Some(Moment::from_civil(
        jiff::civil::date(2026, 11, 18).at(23, 0, 0, 0),
    ))
}

fn eval(text: &str, principal: &Principal, moment: Option<Moment>, path: &[u8]) -> Truth {
    let agent_type = Fact::Known("autogen");
    let object = Object::Path(path);
    let facts = Facts::new(principal, agent_type, Action::Exec, object, moment);
    parse(text).eval(&facts)
}

#[test]
fn answers_with_everything_known() {
    let table = [
        (
            "context.time_of_day in [\"night\", \"weekend\"] &&\nprincipal.agent_type == \"autogen\"\n",
            true,
        ),
        ("context.time_of_day in [\"day\"]", false),
        ("context.hour >= 22 || context.hour < 6", true),
        ("context.weekday == \"wednesday\"", true),
        ("principal.uid == 1000", true),
        ("principal.uid in [0, 1]", false),
        ("!(principal.uid == 0)", true),
        ("principal.user != \"root\"", true),
        ("principal.host like \"web-*\"", true),
        ("principal.host_labels.env == \"production\"", true),
        ("principal.host_labels.zone == \"\"", true),
        ("principal.host_labels has env", true),
        ("principal.host_labels has zone", false),
        ("principal.host_labels[\"env\"] == \"production\"", true),
        ("principal.container == \"\"", true),
        ("principal.interactive", false),
        ("principal.interactive == false", true),
        ("principal.exe == \"/usr/bin/python3.11\"", true),
        ("principal.exe like \"/usr/bin/python*\"", true),
        ("[\"/a\", \"/bin/sh\"].contains(resource.path)", true),
        ("resource.path in [\"/bin/sh\", \"/bin/bash\"]", true),
        ("resource.path like \"/b*h\"", true),
        ("\"/bin/sh\" == resource.path", true),
        (
            "if principal.uid == 0 then true else resource.path == \"/bin/sh\"",
            true,
        ),
        ("true", true),
        (
            "principal.agent_id == \"a-1\" && principal.host == \"web-1\" // comment",
            true,
        ),
    ];
    for (text, expected) in table {
        let answer = eval(text, &known(), night(), b"/bin/sh");
        assert_eq!(answer, Truth::from(expected), "{text}");
    }
}

#[test]
fn unknown_facts_leave_only_what_they_touch_unknown() {
    let nothing = Principal::default();
    let table = [
        ("principal.uid == 0", Truth::Unknown),
        ("!(principal.uid == 0)", Truth::Unknown),
        (
            "principal.uid == 0 && resource.path == \"/other\"",
            Truth::False,
        ),
        (
            "principal.uid == 0 && resource.path == \"/bin/sh\"",
            Truth::Unknown,
        ),
        (
            "principal.uid == 0 || resource.path == \"/bin/sh\"",
            Truth::True,
        ),
        (
            "resource.path == \"/bin/sh\" || principal.uid == 0",
            Truth::True,
        ),
        (
            "if principal.uid == 0 then true else resource.path == \"/bin/sh\"",
            Truth::True,
        ),
        ("if principal.uid == 0 then true else false", Truth::Unknown),
        ("context.hour > 3", Truth::Unknown),
        ("principal.exe like \"*\"", Truth::Unknown),
        ("principal.host_labels.env == \"x\"", Truth::Unknown),
        ("principal.host_labels has env", Truth::Unknown),
        ("context has hour && principal has uid", Truth::True),
    ];
    for (text, expected) in table {
        assert_eq!(eval(text, &nothing, None, b"/bin/sh"), expected, "{text}");
    }
}

#[test]
fn an_error_of_cedar_is_unknown() {
    let text = "9223372036854775807 + principal.uid > 0";
    assert_eq!(eval(text, &known(), None, b"/x"), Truth::Unknown);
}

#[test]
fn bytes_that_are_not_text_equal_no_literal() {
    let path = b"/bin/\xff\xfe";
    assert_eq!(
        eval("resource.path == \"/bin/\u{fffd}\"", &known(), None, path),
        Truth::False
    );
    assert_eq!(
        eval("resource.path like \"/bin/*\"", &known(), None, path),
        Truth::True
    );
}

/// Text, word at the offset (empty: nobody looks), part of the message, part of the help.
const REFUSALS: &[(&str, &str, &str, &str)] = &[
    (
        "principal.agent_typ == \"x\"",
        "agent_typ",
        "`principal.agent_typ` is not an attribute",
        "did you mean `agent_type`?",
    ),
    (
        "true &&\n  context.tme_of_day == \"day\"",
        "tme_of_day",
        "not an attribute",
        "time_of_day",
    ),
    (
        "resource.port == 443",
        "port",
        "does not exist for exec",
        "exec has path",
    ),
    (
        "resource.sni == \"x\"",
        "sni",
        "does not exist for exec",
        "path",
    ),
    (
        "principal == resource",
        "principal",
        "read as a whole",
        "attributes",
    ),
    (
        "action == Action::\"exec\"",
        "action",
        "`action` has no use",
        "action:",
    ),
    (
        "principal.exe == resource.path",
        "exe",
        "compared with something other",
        "literals",
    ),
    (
        "resource.path == principal.user",
        "path",
        "compared with something other",
        "literals",
    ),
    (
        "[resource.path].contains(\"/a\")",
        "path",
        "compared with something other",
        "",
    ),
    (
        "resource.path in [principal.user]",
        "in",
        "set of literals",
        "",
    ),
    ("principal.agent_type in \"x\"", "in", "set of literals", ""),
    (
        "principal.agent_type in [Agent::\"x\"]",
        "in",
        "set of literals",
        "",
    ),
    ("principal.hasTag(\"a\")", "hasTag", "no use", ""),
    ("principal is Agent", "is", "no use", ""),
    ("principal.uid has x", "has", "never optional", ""),
    ("principal.uid == \"root\"", "principal", "", ""),
    ("principal.agent_type", "principal", "", ""),
    ("principal.agent_type ==", "", "unexpected end", ""),
    (
        "principal.agent_type = \"x\"",
        "principal",
        "not a valid operator",
        "==",
    ),
    ("true &&\n principal.uid == \"root\"", "principal", "", ""),
    ("true && principal.user", "principal", "", ""),
    (
        "context.weekday in [\"monday\"] && principal.uid == \"root\"",
        "principal",
        "",
        "",
    ),
    ("true } unless { false", "}", "", ""),
    ("", "", "unexpected end", ""),
    ("resource.path == \"/\u{10ffff}\"", "", "U+10FF00", ""),
];

#[test]
fn refusals_have_their_place() {
    for &(text, word, message, help) in REFUSALS {
        let errors = Condition::parse(text, Action::Exec).expect_err(text);
        let error = &errors[0];
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(error.help.contains(help), "{text}: {error:?}");
        if !word.is_empty() {
            assert!(text[error.offset..].starts_with(word), "{text}: {error:?}");
        }
    }
}

#[test]
fn all_errors_are_reported_together() {
    let errors = Condition::parse(
        "principal.a == 1 && context.b == 2 && resource.c == 3",
        Action::Exec,
    )
    .expect_err("three unknown attributes");
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn attributes_belong_to_actions() {
    assert!(Condition::parse("resource.address == \"10.0.0.1\"", Action::NetConnect).is_ok());
    assert!(Condition::parse("resource.sni == \"x\"", Action::TlsConnect).is_ok());
    assert!(Condition::parse("resource.path == \"/x\"", Action::NetConnect).is_err());
    let errors = Condition::parse("resource.address == \"10.0.0\"", Action::NetConnect);
    assert!(
        errors.expect_err("address")[0]
            .message
            .contains("not an ip address")
    );
    let errors = Condition::parse("resource.address like \"10.*\"", Action::NetConnect);
    assert!(errors.expect_err("like")[0].help.contains("cidr_allow"));
}

#[test]
fn atoms_are_every_comparison() {
    let condition = parse(
        "resource.path == \"/a\" || resource.path like \"/b/*.sh\" || \
         principal.exe in [\"/c\", \"/d\"] || \"/e\" != resource.path",
    );
    let literal = |subject, text: &str| Atom::Literal {
        subject,
        bytes: text.into(),
    };
    let parts = vec![
        LikePart::Text("/b/".into()),
        LikePart::Any,
        LikePart::Text(".sh".into()),
    ];
    assert_eq!(
        condition.resource_atoms(),
        [
            literal(Subject::Path, "/a"),
            Atom::Like {
                subject: Subject::Path,
                parts
            },
            literal(Subject::Exe, "/c"),
            literal(Subject::Exe, "/d"),
            literal(Subject::Path, "/e"),
        ]
    );
    assert!(condition.needs().resource() && condition.needs().reads(Attribute::Exe));
    assert!(!condition.needs().time());
}

#[test]
fn ports_and_protocols_are_compared_with_literals() {
    let parse = |text: &str| Condition::parse(text, Action::NetConnect);
    let ports = |first, last| Atom::Ports { first, last };
    let table = [
        ("resource.port == 22", vec![ports(22, 22)]),
        ("22 != resource.port", vec![ports(22, 22)]),
        ("resource.port < 22", vec![ports(0, 21)]),
        ("22 < resource.port", vec![ports(23, 65535)]),
        ("resource.port <= 22", vec![ports(0, 22)]),
        ("22 >= resource.port", vec![ports(0, 22)]),
        ("resource.port > 22", vec![ports(23, 65535)]),
        ("resource.port >= 22", vec![ports(22, 65535)]),
        (
            "resource.port in [22, 80]",
            vec![ports(22, 22), ports(80, 80)],
        ),
        ("[80].contains(resource.port)", vec![ports(80, 80)]),
        ("resource.port < 0 || resource.port > 65535", vec![]),
        ("resource has port", vec![]),
        ("resource.protocol == \"tcp\"", vec![Atom::Protocol(6)]),
        ("resource.protocol != \"262\"", vec![Atom::Protocol(6)]),
        (
            "resource.protocol in [\"udp\", \"1\"]",
            vec![Atom::Protocol(17), Atom::Protocol(1)],
        ),
    ];
    for (text, atoms) in table {
        let condition = parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        assert_eq!(condition.resource_atoms(), atoms, "{text}");
    }
    for (text, word, message) in [
        ("resource.port == 65536", "65536", "not a port"),
        ("true && resource.port in [1, 99999]", "99999", "not a port"),
        ("resource.port > -1", "", "port"),
        ("resource.port == \"22\"", "port", "other than literals"),
        ("resource.port + 1 == 23", "port", "other than literals"),
        (
            "resource.port == principal.uid",
            "port",
            "other than literals",
        ),
        ("resource.port like \"2*\"", "like", "by like"),
        (
            "resource.protocol == \"icmp\"",
            "\"icmp\"",
            "not a protocol",
        ),
        ("resource.protocol == \"255\"", "\"255\"", "not a protocol"),
        ("resource.protocol like \"t*\"", "like", "by like"),
        (
            "resource.protocol < \"udp\"",
            "protocol",
            "other than literals",
        ),
        ("resource.protocol == 6", "protocol", "other than literals"),
    ] {
        let error = &parse(text).expect_err(text)[0];
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(text[error.offset..].starts_with(word), "{text}: {error:?}");
    }
}

#[test]
fn addresses_compare_in_one_form() {
    let text = "resource.address in [\"::ffff:10.0.0.1\", \"2001:DB8::0:1\"]";
    let condition = Condition::parse(text, Action::NetConnect).expect("valid");
    for (ip, expected) in [
        ("10.0.0.1", true),
        ("2001:db8::1", true),
        ("10.0.0.2", false),
    ] {
        let ip = ip.parse().expect("ip");
        let object = Object::Peer {
            ip,
            port: 1,
            protocol: crate::model::resource::Protocol::Tcp,
        };
        let principal = known();
        let facts = Facts::new(
            &principal,
            Fact::Known("x"),
            Action::NetConnect,
            object,
            None,
        );
        assert_eq!(condition.eval(&facts), Truth::from(expected), "{ip}");
    }
}

#[test]
fn limits_hold_before_cedar_parses() {
    let deep = format!("{}true{}", "(".repeat(17), ")".repeat(17));
    let long = "a".repeat(CONDITION_BYTES_MAX + 1);
    let wide = vec!["true"; CONDITION_OPERATORS_MAX + 2].join("&&");
    for (text, message) in [
        (deep, "nests deeper"),
        (long, "at most"),
        (wide, "more than"),
    ] {
        let errors = Condition::parse(&text, Action::Exec).expect_err("too large");
        assert!(errors[0].message.contains(message), "{errors:?}");
    }
}

#[test]
fn the_largest_conditions_fit_a_small_stack() {
    let chain = |item: &str, operator: &str, count| vec![item; count].join(operator);
    let operators = CONDITION_OPERATORS_MAX;
    let nested = |inner: &str, count| format!("{}{inner}{}", "(".repeat(count), ")".repeat(count));
    let sum = format!("{} == 3", chain("1", "+", operators));
    let texts = [
        nested(&chain("true", "&&", operators + 1), CONDITION_NESTING_MAX),
        chain("principal.interactive", "||", operators / 2),
        nested(&sum, CONDITION_NESTING_MAX),
        format!("principal.{}", chain("a", ".", operators)),
        format!(
            "principal.uid in [{}]",
            chain("1", ",", CONDITION_BYTES_MAX / 2 - 20)
        ),
    ];
    // As small as the threads of a server's runtime.
    let run = move || texts.map(|text| Condition::parse(&text, Action::Exec).is_ok());
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .expect("spawn");
    let accepted = thread.join().expect("no overflow");
    assert_eq!(accepted, [true, true, true, false, true]);
}
