//! What matching a rule means, without the rule: groups of rules with the same consequence.
//!
//! Neighbours of one verdict are a *block*: their order does not matter. Rules of one block that
//! bind the same processes are one *group*, however many they are. Two objects that match the
//! same groups get the same verdict from everybody.

use std::collections::HashMap;

use crate::model::action::Action;
use crate::model::verdict::Verdict;
use crate::policy::condition::{Atom, Subject};
use crate::policy::rule::{Effective, Rule};

/// What a node of the automaton can match: a group, a comparison of a condition, or whatever else
/// a start state is about.
pub(super) type Mark = u32;

/// How the marks of one start state relate.
pub(super) trait Marks {
    /// Whether, once `settled` matches whatever follows, `other` can no longer make a difference.
    /// Never asked about a mark and itself.
    fn settles(&self, settled: Mark, other: Mark) -> bool;
}

/// Rules of one policy with one verdict and one filter, with nothing of another verdict between.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) policy: usize,
    pub(super) block: u32,
    pub(super) filter: u32,
    pub(super) verdict: Verdict,
    /// Binds every process at any time.
    pub(super) unconditional: bool,
    /// Indexes into the policy's rules, ascending; never empty.
    pub(super) rules: Vec<usize>,
    /// Marks of the comparisons in its condition.
    atoms: Vec<Mark>,
}

/// All groups of one action. Marks count the groups first, then the atoms.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    pub(super) atoms: Vec<Atom>,
    /// Groups that use each atom.
    users: Vec<Vec<Mark>>,
}

/// What a rule asks of the process and the clock; rules that agree on it bind together.
#[derive(PartialEq, Eq, Hash)]
struct Filter {
    agent_types: Vec<String>,
    binaries: Vec<String>,
    condition: Option<String>,
}

impl Filter {
    fn of(rule: &Rule) -> Filter {
        let mut agent_types = rule.agent_types.clone();
        agent_types.sort();
        let mut binaries: Vec<String> = rule
            .binaries
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect();
        binaries.sort();
        let condition = rule
            .condition
            .as_ref()
            .map(|condition| condition.text().to_owned());
        Filter {
            agent_types,
            binaries,
            condition,
        }
    }

    fn is_empty(&self) -> bool {
        self.agent_types.is_empty() && self.binaries.is_empty() && self.condition.is_none()
    }
}

/// What is subject to an action's conditions.
fn subjects_of(action: Action) -> &'static [Subject] {
    match action {
        Action::FileRead | Action::FileWrite | Action::Exec => &[Subject::Path],
        Action::NetConnect => &[Subject::Address, Subject::Port, Subject::Protocol],
        Action::TlsConnect => &[Subject::Sni],
    }
}

impl Groups {
    pub(super) fn new(policies: &[Effective], action: Action) -> Groups {
        let mut filters: HashMap<Filter, u32> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut atoms_of: Vec<Vec<Atom>> = Vec::new();
        for (policy, effective) in policies.iter().enumerate() {
            let mut block = 0;
            let mut last: Option<Verdict> = None;
            let mut known: HashMap<(u32, u32), usize> = HashMap::new();
            for (index, rule) in effective.policy.rules.iter().enumerate() {
                if rule.action != action {
                    continue;
                }
                if last.is_some_and(|verdict| verdict != rule.verdict) {
                    block += 1;
                }
                last = Some(rule.verdict);
                let filter = Filter::of(rule);
                let unconditional = filter.is_empty();
                let fresh = u32::try_from(filters.len()).unwrap_or(u32::MAX);
                let filter = *filters.entry(filter).or_insert(fresh);
                let at = *known.entry((block, filter)).or_insert(groups.len());
                if at < groups.len() {
                    groups[at].rules.push(index);
                    continue;
                }
                atoms_of.push(atoms(rule, subjects_of(action)));
                groups.push(Group {
                    policy,
                    block,
                    filter,
                    verdict: rule.verdict,
                    unconditional,
                    rules: vec![index],
                    atoms: Vec::new(),
                });
            }
        }
        let mut all = Groups {
            groups,
            atoms: Vec::new(),
            users: Vec::new(),
        };
        all.number_atoms(&atoms_of);
        all
    }

    fn number_atoms(&mut self, atoms_of: &[Vec<Atom>]) {
        let base = self.groups.len();
        let mut numbers: HashMap<Atom, usize> = HashMap::new();
        for (group, atoms) in atoms_of.iter().enumerate() {
            for atom in atoms {
                let number = *numbers.entry(atom.clone()).or_insert_with(|| {
                    self.atoms.push(atom.clone());
                    self.users.push(Vec::new());
                    self.atoms.len() - 1
                });
                self.users[number].push(mark(group));
                self.groups[group].atoms.push(mark(base + number));
            }
        }
    }

    /// The group of a mark, unless it is an atom's.
    pub(super) fn group(&self, mark: Mark) -> Option<&Group> {
        self.groups.get(mark as usize)
    }

    /// Mark of the atom with this index.
    pub(super) fn atom_mark(&self, index: usize) -> Mark {
        mark(self.groups.len() + index)
    }

    /// Whether any of the marks is an atom's.
    pub(super) fn has_atoms(&self, marks: &[Mark]) -> bool {
        marks.iter().any(|&mark| mark as usize >= self.groups.len())
    }

    /// Whether any of these groups asks for the atom.
    pub(super) fn ask(&self, groups: &[Mark], atom: Mark) -> bool {
        groups
            .iter()
            .any(|&group| self.at(group).atoms.contains(&atom))
    }

    /// The groups among `marks` that can decide, in order: none of them is settled by another.
    pub(super) fn deciding(&self, marks: &[Mark]) -> Vec<Mark> {
        let groups = marks
            .iter()
            .copied()
            .filter(|&mark| self.group(mark).is_some());
        let mut kept: Vec<Mark> = groups
            .filter(|&mark| !marks.iter().any(|&by| by != mark && self.settles(by, mark)))
            .collect();
        kept.sort_by_key(|&mark| {
            let group = &self.groups[mark as usize];
            (group.policy, group.block, group.filter)
        });
        kept
    }

    /// What the marks of one path come to: equal keys get equal verdicts from every process at any
    /// time, as long as the object has no other path.
    pub(super) fn key(&self, marks: &[Mark]) -> Vec<u32> {
        let mut kept = self.deciding(marks);
        // A group before an unconditional one with the same verdict changes nothing.
        let mut index = kept.len();
        while index > 1 {
            index -= 1;
            let (before, after) = (self.at(kept[index - 1]), self.at(kept[index]));
            let same = before.policy == after.policy && before.verdict == after.verdict;
            if same && after.unconditional {
                kept.remove(index - 1);
            }
        }
        let mut key = Vec::new();
        let mut used: Vec<Mark> = Vec::new();
        for mark in kept {
            let group = self.at(mark);
            key.extend([mark_of(group.policy), group.filter, group.verdict as u32]);
            used.extend(group.atoms.iter().filter(|atom| marks.contains(atom)));
        }
        used.sort_unstable();
        used.dedup();
        key.push(Mark::MAX);
        key.extend(used);
        key
    }

    /// The same with the place of every group kept, for objects with several paths.
    pub(super) fn placed_key(&self, marks: &[Mark]) -> Vec<u32> {
        let mut key = self.deciding(marks);
        let used = marks.iter().filter(|&&mark| {
            key.iter()
                .any(|&group| self.at(group).atoms.contains(&mark))
        });
        let mut used: Vec<Mark> = used.copied().collect();
        used.sort_unstable();
        key.push(Mark::MAX);
        key.extend(used);
        key
    }

    fn at(&self, mark: Mark) -> &Group {
        &self.groups[mark as usize]
    }
}

impl Marks for Groups {
    fn settles(&self, settled: Mark, other: Mark) -> bool {
        let Some(by) = self.group(settled) else {
            return false;
        };
        match self.group(other) {
            Some(group) if group.policy != by.policy => false,
            Some(group) if group.block == by.block => by.unconditional,
            Some(group) if group.block < by.block => false,
            Some(group) => {
                by.unconditional
                    || by.filter == group.filter
                        && by.atoms.is_empty()
                        && by.verdict >= group.verdict
            }
            None => self.users[other as usize - self.groups.len()]
                .iter()
                .all(|&user| user != settled && self.settles(settled, user)),
        }
    }
}

fn atoms(rule: &Rule, subjects: &[Subject]) -> Vec<Atom> {
    let all = rule
        .condition
        .as_ref()
        .map(|condition| condition.resource_atoms());
    let mut found: Vec<Atom> = Vec::new();
    for atom in all.unwrap_or_default() {
        if subjects.contains(&atom_subject(atom)) && !found.contains(atom) {
            found.push(atom.clone());
        }
    }
    found
}

/// What an atom compares.
pub(super) fn atom_subject(atom: &Atom) -> Subject {
    match atom {
        Atom::Literal { subject, .. } | Atom::Like { subject, .. } => *subject,
        Atom::Address(_) => Subject::Address,
        Atom::Ports { .. } => Subject::Port,
        Atom::Protocol(_) => Subject::Protocol,
    }
}

/// A mark from an index.
pub(super) fn mark(index: usize) -> Mark {
    Mark::try_from(index).unwrap_or(Mark::MAX)
}

fn mark_of(policy: usize) -> u32 {
    mark(policy)
}
