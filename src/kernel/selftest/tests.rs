use super::*;
use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::model::verdict::Verdict;
use crate::policy::evaluate::{Request, evaluate};

fn operator(rules: &str) -> Vec<Effective> {
    let text = format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  rules:\n{rules}"
    );
    let loaded = policy::load("p.yaml", text.as_bytes(), &policy::LoadOptions::default());
    let sources = loaded
        .unwrap_or_else(|problems| panic!("{}", problems[0]))
        .policies;
    let effective = sources.into_iter().map(|source| Effective {
        policy: Arc::new(source.policy),
        version: 1,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    });
    effective.collect()
}

fn ask(policies: &[Effective], principal: Principal, action: Action, path: &str) -> Verdict {
    let resource = Resource::Paths(vec![path.as_bytes().to_vec()]);
    evaluate(
        policies,
        &Request {
            principal,
            action,
            resource,
            moment: None,
        },
    )
    .verdict
}

const RULES: &str = "    - { name: a, action: exec, resource_pattern: /opt/x, verdict: deny, agent_types: [codex] }
    - { name: b, action: exec, resource_pattern: /opt/y, verdict: deny, condition: 'principal.agent_type == \"claude-code\"' }
";

#[test]
fn its_rules_bind_nobody_else() {
    let with = [operator(RULES), vec![policy()]].concat();
    let child = || Principal { ..principal() };
    assert_eq!(ask(&with, child(), Action::Exec, "/bin/ls"), Verdict::Deny);
    let decoy = format!("{FOLDER}/decoy-x");
    assert_eq!(ask(&with, child(), Action::FileRead, &decoy), Verdict::Deny);
    assert_eq!(
        ask(&with, child(), Action::FileRead, "/etc/hosts"),
        Verdict::Allow
    );
    for id in Signatures::builtin().ids() {
        let agent = || Principal::of_type(id);
        assert_eq!(
            ask(&with, agent(), Action::Exec, "/bin/ls"),
            Verdict::Allow,
            "{id}"
        );
        assert_eq!(
            ask(&with, agent(), Action::FileRead, &decoy),
            Verdict::Allow,
            "{id}"
        );
    }
}

#[test]
fn a_session_of_unknown_type_is_held_to_the_operators_rules_alone() {
    let policies = operator(RULES);
    let with = [policies.clone(), vec![policy()]].concat();
    let signatures = Signatures::builtin();
    let unknown = stranger(&policies, &signatures, &Principal::default());
    assert_eq!(
        ask(&with, unknown.clone(), Action::Exec, "/bin/ls"),
        Verdict::Allow
    );
    assert_eq!(
        ask(&with, unknown.clone(), Action::Exec, "/opt/x"),
        Verdict::Deny
    );
    assert_eq!(ask(&with, unknown, Action::Exec, "/opt/y"), Verdict::Deny);
    // Without a condition on the type, one type for each way in which rules tell them apart.
    let plain = operator(RULES.lines().next().expect("a rule"));
    let few = stranger(&plain, &signatures, &Principal::default());
    assert_eq!(few.agent_types.known().map(Vec::len), Some(2));
    assert_eq!(ask(&plain, few, Action::Exec, "/opt/x"), Verdict::Deny);
}

#[test]
fn its_type_is_nobody_elses() {
    let signatures = Signatures::builtin();
    assert_eq!(signatures.number(AGENT_TYPE), None);
    assert_eq!(
        u16::try_from(TYPE_NUMBER)
            .ok()
            .and_then(|number| signatures.id(number)),
        None
    );
}

#[test]
fn a_proof_names_what_was_not_denied() {
    let denied = libc::EPERM;
    assert!(
        Proof {
            open: denied,
            exec: denied,
            connect: denied
        }
        .holds()
    );
    let proof = Proof {
        open: 0,
        exec: denied,
        connect: libc::ENETUNREACH,
    };
    assert_eq!(proof.not_denied(), ["open", "connect"]);
}
