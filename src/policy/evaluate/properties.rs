//! What holds for every policy and request.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::resource::{Protocol, Resource};
use crate::policy::network::{AddressMatch, parse_cidr};
use crate::policy::pattern::Pattern;
use crate::policy::rule::Policy;
use crate::policy::sni::ServerNamePattern;

const PATTERNS: [&str; 8] = ["*", "/a", "/a/*", "/a/**", "/b/[xy]", "/**/x", "x", "/a/x"];
const PATHS: [&str; 8] = ["/a", "/a/x", "/a/b/x", "/b/x", "/b/y", "/x", "/c", "/"];
const TYPES: [&str; 3] = ["codex", "cursor", "aider"];
const NETWORKS: [&str; 5] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3/32",
    "2001:db8::/32",
];
const ADDRESSES: [&str; 5] = [
    "10.1.2.3",
    "10.1.2.4",
    "10.9.9.9",
    "192.0.2.1",
    "2001:db8::1",
];
const NAMES: [&str; 3] = ["a.example", "b.a.example", "c.example"];
const CONDITIONS: [&str; 6] = [
    "principal.uid == 0",
    "principal.user == \"u\" || principal.interactive",
    "context.time_of_day == \"night\"",
    "principal.exe == \"/bin/a\" && !(principal.uid == 0)",
    "if context.hour < 12 then principal.agent_type == \"codex\" else principal.uid == 0",
    "principal.host_labels.env == \"p\"",
];

fn verdict() -> impl Strategy<Value = Verdict> {
    select(vec![Verdict::Allow, Verdict::Alert, Verdict::Deny])
}

fn some_of(items: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let one = select(items.to_vec()).prop_map(str::to_owned);
    prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(one, 1..3)]
}

fn matches(action: Action, verdict: Verdict) -> BoxedStrategy<Match> {
    let networks = || {
        some_of(&NETWORKS).prop_map(|texts| {
            texts
                .iter()
                .map(|text| parse_cidr(text).expect("a network"))
                .collect::<Vec<_>>()
        })
    };
    match action {
        Action::NetConnect => (networks(), networks())
            .prop_map(move |(allow, deny)| Match::Address(AddressMatch::new(verdict, allow, deny)))
            .boxed(),
        Action::TlsConnect => proptest::option::of(select(vec!["*", "*.a.example", "c.example"]))
            .prop_map(|text| {
                Match::ServerName(text.map(|text| ServerNamePattern::parse(text).expect("a name")))
            })
            .boxed(),
        _ => select(PATTERNS.to_vec())
            .prop_map(|text| Match::Path(vec![Pattern::parse(text).expect("a pattern")]))
            .boxed(),
    }
}

prop_compose! {
    fn rule()(action in select(Action::ALL.to_vec()), verdict in verdict())(
        matches in matches(action, verdict),
        binaries in some_of(&["/bin/a", "/bin/*", "b"]),
        agent_types in some_of(&TYPES),
        condition in proptest::option::weighted(0.3, select(CONDITIONS.to_vec())),
        action in Just(action),
        verdict in Just(verdict),
    ) -> Rule {
        let pattern = |text: &String| Pattern::parse(text).expect("a pattern");
        let condition = condition.map(|text| Condition::parse(text, action).expect("valid"));
        Rule {
            name: "r".to_owned(),
            description: String::new(),
            action,
            verdict,
            severity: Severity::Low,
            binaries: binaries.iter().map(pattern).collect(),
            agent_types,
            matches,
            condition,
            line: 1,
        }
    }
}

prop_compose! {
    fn effective()(
        name in select(vec!["a", "b", "c", "d"]),
        rules in proptest::collection::vec(rule(), 0..6),
        monitor in proptest::bool::weighted(0.2),
        agent_types in some_of(&TYPES),
    ) -> Effective {
        let name = name.to_owned();
        let policy = Policy { name, description: String::new(), labels: BTreeMap::new(), rules, disabled: Vec::new() };
        let mode = if monitor { Mode::Monitor } else { Mode::Enforce };
        Effective { policy: Arc::new(policy), version: 1, mode, agent_types }
    }
}

/// Policies with different names, as a host has them.
fn policies() -> impl Strategy<Value = Vec<Effective>> {
    proptest::collection::vec(effective(), 0..4).prop_map(|mut policies: Vec<Effective>| {
        policies.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
        policies.dedup_by(|a, b| a.policy.name == b.policy.name);
        policies
    })
}

fn resource(action: Action) -> BoxedStrategy<Resource> {
    let known = match action {
        Action::NetConnect => select(ADDRESSES.to_vec())
            .prop_map(|ip| {
                let ip = ip.parse().expect("an address");
                Resource::Address {
                    ip,
                    port: 443,
                    protocol: Protocol::Tcp,
                }
            })
            .boxed(),
        Action::TlsConnect => proptest::option::of(select(NAMES.to_vec()))
            .prop_map(|name| Resource::ServerName(name.map(str::to_owned)))
            .boxed(),
        _ => proptest::collection::vec(select(PATHS.to_vec()), 1..3)
            .prop_map(|paths| Resource::Paths(paths.into_iter().map(Into::into).collect()))
            .boxed(),
    };
    prop_oneof![9 => known, 1 => Just(Resource::Unknown)].boxed()
}

prop_compose! {
    /// Every fact is known.
    fn principal()(
        agent_type in select(TYPES.to_vec()),
        exe in select(vec!["/bin/a", "/bin/b", "/c/b"]),
        uid in 0..2u32,
        user in select(vec!["u", "v"]),
        interactive: bool,
        env in select(vec!["p", "t"]),
    ) -> Principal {
        Principal {
            agent_types: Fact::Known(vec![agent_type.to_owned()]),
            agent_id: Fact::Known("s".to_owned()),
            host: Fact::Known("h".to_owned()),
            host_labels: Fact::Known([("env".to_owned(), env.to_owned())].into()),
            user: Fact::Known(user.to_owned()),
            uid: Fact::Known(uid),
            exe: Fact::Known(exe.into()),
            container: Fact::Known(String::new()),
            interactive: Fact::Known(interactive),
        }
    }
}

prop_compose! {
    fn request()(action in select(Action::ALL.to_vec()))(
        resource in resource(action),
        principal in principal(),
        hour in 0..24i8,
        action in Just(action),
    ) -> Request {
        let time = jiff::civil::date(2026, 11, 16).at(hour, 0, 0, 0);
        Request { principal, action, resource, moment: Some(Moment::from_civil(time)) }
    }
}

/// The same request with some facts forgotten; bit by bit of `mask`.
fn forget(request: &Request, mask: u8) -> Request {
    let mut request = request.clone();
    let principal = &mut request.principal;
    if mask & 1 != 0 {
        principal.exe = Fact::Unknown;
    }
    if mask & 2 != 0 {
        principal.uid = Fact::Unknown;
    }
    if mask & 4 != 0 {
        principal.user = Fact::Unknown;
        principal.interactive = Fact::Unknown;
    }
    if mask & 8 != 0 {
        principal.host_labels = Fact::Unknown;
    }
    if mask & 16 != 0 {
        principal.agent_types = Fact::Unknown;
    }
    if mask & 32 != 0 {
        request.moment = None;
    }
    request
}

/// What a decision says, without indexes into a list whose order may differ.
fn named(
    policies: &[Effective],
    request: &Request,
) -> (Verdict, bool, Verdict, Option<(String, usize)>) {
    let decision = evaluate(policies, request);
    let deciding = decision.deciding.map(|deciding| {
        (
            policies[deciding.policy_index].policy.name.clone(),
            deciding.rule_index,
        )
    });
    (
        decision.verdict,
        decision.enforced,
        decision.effect,
        deciding,
    )
}

/// First match by the plainest reading, for requests of which everything is known.
fn first_match(policy: &Effective, request: &Request) -> Option<usize> {
    let principal = &request.principal;
    let agent_type = principal
        .agent_types
        .known()
        .and_then(|types| types.first())
        .expect("known");
    let exe = principal.exe.known().expect("known");
    let listed = |types: &[String]| types.is_empty() || types.contains(agent_type);
    if !listed(&policy.agent_types) {
        return None;
    }
    policy.policy.rules.iter().position(|rule| {
        let object = match (&request.resource, &rule.matches) {
            (Resource::Paths(paths), Match::Path(patterns)) => paths
                .iter()
                .any(|path| patterns.iter().any(|pattern| pattern.matches(path))),
            (Resource::Address { ip, .. }, Match::Address(addresses)) => addresses.matches(*ip),
            (Resource::ServerName(name), Match::ServerName(pattern)) => match (pattern, name) {
                (None, _) => true,
                (Some(pattern), Some(name)) => pattern.matches(name),
                (Some(_), None) => false,
            },
            (Resource::Unknown, matches) => {
                rule.verdict == Verdict::Deny || matches.is_everything()
            }
            _ => false,
        };
        let object_of_facts = Object::Unknown;
        let facts = Facts::new(
            principal,
            Fact::Known(agent_type),
            request.action,
            object_of_facts,
            request.moment,
        );
        rule.action == request.action
            && object
            && listed(&rule.agent_types)
            && (rule.binaries.is_empty() || rule.binaries.iter().any(|p| p.matches(exe)))
            && rule
                .condition
                .as_ref()
                .is_none_or(|c| c.eval(&facts) == Truth::True)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn known_requests_get_the_strictest_first_match(policies in policies(), request in request()) {
        let answers = |enforced: bool| {
            policies
                .iter()
                .filter(move |policy| !enforced || policy.mode == Mode::Enforce)
                .filter_map(|p| first_match(p, &request).map(|rule| p.policy.rules[rule].verdict))
                .max()
                .unwrap_or(Verdict::Allow)
        };
        let decision = evaluate(&policies, &request);
        prop_assert_eq!(decision.verdict, answers(false));
        prop_assert_eq!(decision.effect, answers(true));
        prop_assert!(!decision.assumed);
        if let Some(deciding) = decision.deciding {
            let policy = &policies[deciding.policy_index];
            prop_assert_eq!(first_match(policy, &request), Some(deciding.rule_index));
            prop_assert_eq!(decision.verdict, policy.policy.rules[deciding.rule_index].verdict);
        }
    }

    #[test]
    fn what_is_not_known_never_loosens(policies in policies(), request in request(), mask: u8) {
        let known = evaluate(&policies, &request);
        let unknown = evaluate(&policies, &forget(&request, mask));
        prop_assert!(unknown.verdict >= known.verdict);
        prop_assert!(unknown.effect >= known.effect);
        // What is forgotten twice is forgotten once.
        let more = evaluate(&policies, &forget(&request, mask | 1));
        prop_assert!(more.effect >= unknown.effect);
    }

    #[test]
    fn an_unknown_object_is_never_looser_than_a_deny(policies in policies(), request in request()) {
        let known = evaluate(&policies, &request);
        let unknown = evaluate(&policies, &Request { resource: Resource::Unknown, ..request });
        prop_assert!(known.effect != Verdict::Deny || unknown.effect == Verdict::Deny);
    }

    #[test]
    fn the_order_of_policies_does_not_matter(policies in policies(), request in request(), mask: u8) {
        let request = forget(&request, mask);
        let mut reversed = policies.clone();
        reversed.reverse();
        prop_assert_eq!(named(&policies, &request), named(&reversed, &request));
    }

    #[test]
    fn one_policy_more_never_loosens(policies in policies(), request in request(), mask: u8) {
        let request = forget(&request, mask);
        for count in 0..policies.len() {
            let fewer = evaluate(&policies[..count], &request);
            let more = evaluate(&policies[..=count], &request);
            prop_assert!(more.effect >= fewer.effect && more.verdict >= fewer.verdict);
        }
    }

    #[test]
    fn an_agent_inside_another_has_the_rules_of_both(
        policies in policies(), request in request(), inner in select(TYPES.to_vec()),
    ) {
        let with_types = |types: &[&str]| {
            let mut request = request.clone();
            let types = types.iter().map(|name| (*name).to_owned()).collect();
            request.principal.agent_types = Fact::Known(types);
            evaluate(&policies, &request)
        };
        let outer = request.principal.agent_types.known().expect("known")[0].clone();
        let both = with_types(&[&outer, inner]);
        let each = [with_types(&[&outer]), with_types(&[inner])];
        prop_assert_eq!(both.effect, each[0].effect.max(each[1].effect));
        prop_assert_eq!(both.verdict, each[0].verdict.max(each[1].verdict));
    }

    #[test]
    fn monitoring_a_policy_takes_only_its_effect(policies in policies(), request in request(), at: usize) {
        let mut monitored = policies.clone();
        let count = monitored.len().max(1);
        if let Some(policy) = monitored.get_mut(at % count) {
            policy.mode = Mode::Monitor;
        }
        let (before, after) = (evaluate(&policies, &request), evaluate(&monitored, &request));
        prop_assert_eq!(before.verdict, after.verdict);
        prop_assert!(after.effect <= before.effect);
        prop_assert_eq!(after.enforced || after.verdict == after.effect, after.verdict == after.effect);
    }
}
