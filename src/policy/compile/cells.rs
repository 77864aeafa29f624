//! Cells: the reference evaluator's answer for each class and each kind of process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::model::verdict::Verdict;
use crate::policy::condition::{Attribute, Condition};
use crate::policy::evaluate::{Request, evaluate};
use crate::policy::fact::Fact;
use crate::policy::principal::Principal;
use crate::policy::rule::{Effective, Match, Policy, Rule};

use super::classes::{Class, NOTHING, UNKNOWN};
use super::groups::{Groups, Mark};
use super::net::{Net, Peer};
use super::paths::Paths;
use super::{Cell, CompileError, IMAGE_WORDS_MAX, Input, PackedCell};

pub(super) struct Filled {
    pub(super) class_count: [u32; Action::ALL.len()],
    pub(super) unknown_class: [u32; Action::ALL.len()],
    pub(super) exe_classes: u32,
    pub(super) slots: Vec<u32>,
    pub(super) type_slot: BTreeMap<u16, u32>,
    pub(super) unknown_slot: u32,
    pub(super) slot_count: u32,
    pub(super) cells: Vec<PackedCell>,
}

/// One class of one action, ready to be asked about.
struct Subject {
    action: Action,
    resource: Resource,
    /// The rules that can decide, in order: one of each group that the witness matches.
    policies: Vec<Effective>,
}

pub(super) fn fill(input: &Input<'_>, paths: &Paths, net: &Net) -> Result<Filled, CompileError> {
    let by_action = Action::ALL.map(|action| subjects(input, paths, net, action));
    let class_count = std::array::from_fn(|action| count(by_action[action].len()));
    let subjects: Vec<Subject> = by_action.into_iter().flatten().collect();
    let mut table = Rows {
        input,
        exes: &paths.exes,
        subjects: &subjects,
        rows: Vec::new(),
        known: HashMap::new(),
    };
    let slots = input
        .slots
        .iter()
        .map(|facts| table.slot(facts))
        .collect::<Result<_, _>>()?;
    let type_slot = type_slots(input, &mut table)?;
    let unknown_slot = table.slot(&Principal {
        agent_types: Fact::Unknown,
        ..input.host.clone()
    })?;
    Ok(Filled {
        class_count,
        unknown_class: Action::ALL.map(|action| match action {
            Action::TlsConnect => NOTHING,
            _ => UNKNOWN,
        }),
        exe_classes: count(paths.exes.len()),
        slots,
        type_slot,
        unknown_slot,
        slot_count: count(table.rows.len()),
        cells: table.rows.concat(),
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Agent types that no rule tells apart share a slot without being asked about.
fn type_slots(
    input: &Input<'_>,
    table: &mut Rows<'_, '_>,
) -> Result<BTreeMap<u16, u32>, CompileError> {
    let rules = || {
        input
            .policies
            .iter()
            .flat_map(|effective| &effective.policy.rules)
    };
    let reads_type = |condition: &Condition| condition.needs().reads(Attribute::AgentType);
    let all_differ = rules().any(|rule| rule.condition.as_ref().is_some_and(reads_type));
    let mut lists: Vec<&[String]> = Vec::new();
    let assigned = input
        .policies
        .iter()
        .map(|effective| &effective.agent_types[..]);
    for list in assigned.chain(rules().map(|rule| &rule.agent_types[..])) {
        if !lists.contains(&list) {
            lists.push(list);
        }
    }
    let mut slots = BTreeMap::new();
    let mut known: HashMap<Vec<bool>, u32> = HashMap::new();
    for signature in input.signatures.all() {
        let member: Vec<bool> = lists
            .iter()
            .map(|list| list.contains(&signature.id))
            .collect();
        let slot = match known.get(&member) {
            Some(&slot) if !all_differ => slot,
            _ => table.slot(&Principal {
                agent_types: Fact::Known(vec![signature.id.clone()]),
                ..input.host.clone()
            })?,
        };
        known.insert(member, slot);
        slots.insert(signature.number, slot);
    }
    Ok(slots)
}

/// Every class of an action, by number.
fn subjects(input: &Input<'_>, paths: &Paths, net: &Net, action: Action) -> Vec<Subject> {
    match action {
        Action::FileRead | Action::FileWrite | Action::Exec => {
            let (groups, classes) = &paths.files[action as usize];
            let subject = |(number, class): (u32, &Class)| {
                let resource = (!class.witness.is_empty() && number != UNKNOWN)
                    .then(|| Resource::Paths(class.witness.clone()));
                Subject::new(input.policies, groups, action, resource, &class.marks)
            };
            (0..).zip(classes).map(subject).collect()
        }
        Action::NetConnect => net
            .classes
            .iter()
            .map(|(peer, marks)| {
                let resource = peer.map(Peer::resource);
                Subject::new(input.policies, &net.groups, action, resource, marks)
            })
            .collect(),
        // No rule is enforced: one class, that nothing matches.
        Action::TlsConnect => {
            vec![Subject {
                action,
                resource: Resource::ServerName(None),
                policies: Vec::new(),
            }]
        }
    }
}

impl Subject {
    fn new(
        policies: &[Effective],
        groups: &Groups,
        action: Action,
        resource: Option<Resource>,
        marks: &[Mark],
    ) -> Subject {
        let Some(resource) = resource else {
            let counting = groups.groups.iter().filter_map(|group| {
                let all = &policies[group.policy].policy.rules;
                let mut rules = group.rules.iter();
                let rule = rules.find(|&&rule| {
                    all[rule].verdict == Verdict::Deny || all[rule].matches.is_everything()
                })?;
                Some((group.policy, *rule))
            });
            let rules = counting.collect();
            return Subject {
                action,
                resource: Resource::Unknown,
                policies: reduced(policies, rules),
            };
        };
        let mut rules = Vec::new();
        for group in groups
            .deciding(marks)
            .into_iter()
            .filter_map(|mark| groups.group(mark))
        {
            let all = &policies[group.policy].policy.rules;
            let matching = group
                .rules
                .iter()
                .find(|&&rule| is_about(&all[rule], &resource));
            rules.extend(matching.map(|&rule| (group.policy, rule)));
        }
        Subject {
            action,
            resource,
            policies: reduced(policies, rules),
        }
    }
}

fn is_about(rule: &Rule, resource: &Resource) -> bool {
    match (&rule.matches, resource) {
        (Match::Path(patterns), Resource::Paths(paths)) => paths
            .iter()
            .any(|path| patterns.iter().any(|pattern| pattern.matches(path))),
        (Match::Address(addresses), Resource::Address { ip, .. }) => addresses.matches(*ip),
        _ => false,
    }
}

/// The policies with only these rules, given as (policy, rule).
fn reduced(policies: &[Effective], mut rules: Vec<(usize, usize)>) -> Vec<Effective> {
    rules.sort_unstable();
    rules
        .chunk_by(|a, b| a.0 == b.0)
        .map(|chunk| {
            let effective = &policies[chunk[0].0];
            let all = &effective.policy.rules;
            let policy = Policy {
                name: effective.policy.name.clone(),
                description: String::new(),
                labels: BTreeMap::new(),
                rules: chunk.iter().map(|&(_, rule)| all[rule].clone()).collect(),
                disabled: Vec::new(),
            };
            Effective {
                policy: Arc::new(policy),
                ..effective.clone()
            }
        })
        .collect()
}

/// Cells of all slots; slots with the same cells are one.
struct Rows<'a, 'b> {
    input: &'a Input<'b>,
    exes: &'a [Class],
    subjects: &'a [Subject],
    rows: Vec<Vec<PackedCell>>,
    known: HashMap<Vec<PackedCell>, u32>,
}

impl Rows<'_, '_> {
    fn slot(&mut self, facts: &Principal) -> Result<u32, CompileError> {
        let words = (self.rows.len() + 1) * self.exes.len() * self.subjects.len();
        if words > IMAGE_WORDS_MAX {
            return Err(CompileError::TooLarge { words });
        }
        let mut cells = Vec::with_capacity(self.exes.len() * self.subjects.len());
        for (number, exe) in (0..).zip(self.exes) {
            let known = !exe.witness.is_empty() && number != UNKNOWN;
            let exes: Vec<Fact<Vec<u8>>> = if known {
                exe.witness.iter().cloned().map(Fact::Known).collect()
            } else {
                vec![Fact::Unknown]
            };
            cells.extend(
                self.subjects
                    .iter()
                    .map(|subject| PackedCell::from(self.strictest(facts, &exes, subject))),
            );
        }
        let fresh = count(self.rows.len());
        let slot = *self.known.entry(cells.clone()).or_insert(fresh);
        if slot == fresh {
            self.rows.push(cells);
        }
        Ok(slot)
    }

    /// The strictest answer over the paths of an executable that has several.
    fn strictest(&self, facts: &Principal, exes: &[Fact<Vec<u8>>], subject: &Subject) -> Cell {
        let decisions = exes.iter().map(|exe| {
            let request = Request {
                principal: Principal {
                    exe: exe.clone(),
                    ..facts.clone()
                },
                action: subject.action,
                resource: subject.resource.clone(),
                moment: self.input.moment,
            };
            evaluate(&subject.policies, &request)
        });
        let strictest = decisions.max_by_key(|decision| (decision.verdict, decision.enforced));
        let matched = strictest.is_some_and(|decision| decision.deciding.is_some());
        Cell {
            verdict: strictest.map_or(Verdict::Deny, |decision| decision.verdict),
            monitored: strictest.is_some_and(|decision| !decision.enforced),
            matched,
            silent: self.input.unmatched_is_silent && !matched,
        }
    }
}
