//! Labels: which paths are one class, and a path that stands for each.

use std::collections::HashMap;

use crate::policy::condition::Subject;
use crate::policy::rule::{Effective, Match};
use crate::policy::signatures::Signatures;

use super::groups::{Groups, Mark, Marks, mark};
use super::nfa::{Nfa, Node};
use super::{atom_pattern, binaries_of};

/// The class of what nothing matched.
pub(super) const NOTHING: u32 = 0;
/// The class of what cannot be known: no path on the host, or too long to be read.
pub(super) const UNKNOWN: u32 = 1;

/// What is compared while a cell is filled.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    /// Host paths of one object of the class. None was found for a class that no path is in.
    pub(super) witness: Vec<Vec<u8>>,
    /// Everything the witness matches.
    pub(super) marks: Vec<Mark>,
}

/// Classes of one kind of question, numbered as they are found.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) classes: Vec<Class>,
    by_key: HashMap<Vec<u32>, u32>,
}

impl Classes {
    /// `nothing` is the key of what matches nothing.
    pub(super) fn new(nothing: Vec<u32>) -> Classes {
        Classes {
            classes: vec![Class::default(), Class::default()],
            by_key: HashMap::from([(nothing, NOTHING)]),
        }
    }

    /// The class of `key`; `witness` is asked when it is new.
    pub(super) fn class(
        &mut self,
        key: Vec<u32>,
        marks: impl FnOnce() -> Vec<Mark>,
        witness: impl FnOnce() -> Vec<Vec<u8>>,
    ) -> u32 {
        let fresh = mark(self.classes.len());
        let class = *self.by_key.entry(key).or_insert(fresh);
        if class == fresh {
            self.classes.push(Class::default());
        }
        let found = &mut self.classes[class as usize];
        if found.witness.is_empty() {
            *found = Class {
                witness: witness(),
                marks: marks(),
            };
        }
        class
    }
}

/// What a start state's marks mean.
pub(super) trait Labels: Marks {
    /// The label of an object whose host paths match these sets of marks.
    fn label(&mut self, accepts: &[&[Mark]], witness: &dyn Fn() -> Vec<Vec<u8>>) -> u32;
    /// The label of an object that has no host path.
    fn lost(&self) -> u32;
    /// Adds the patterns under `root`.
    fn add_to(&self, nfa: &mut Nfa, root: Node);
    fn as_marks(&self) -> &dyn Marks;
}

fn union(accepts: &[&[Mark]]) -> Vec<Mark> {
    let mut all: Vec<Mark> = accepts.concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// Resources of one action.
pub(super) struct FileLabels<'a> {
    pub(super) policies: &'a [Effective],
    pub(super) groups: Groups,
    pub(super) classes: Classes,
}

impl<'a> FileLabels<'a> {
    pub(super) fn new(policies: &'a [Effective], groups: Groups) -> FileLabels<'a> {
        let nothing = groups.key(&[]);
        FileLabels {
            policies,
            groups,
            classes: Classes::new(nothing),
        }
    }
}

impl Marks for FileLabels<'_> {
    fn settles(&self, settled: Mark, other: Mark) -> bool {
        self.groups.settles(settled, other)
    }
}

impl Labels for FileLabels<'_> {
    fn label(&mut self, accepts: &[&[Mark]], witness: &dyn Fn() -> Vec<Vec<u8>>) -> u32 {
        let all = union(accepts);
        let key = if accepts.len() > 1 && self.groups.has_atoms(&all) {
            // A condition is about one of the paths at a time.
            let mut each: Vec<Vec<u32>> = accepts
                .iter()
                .map(|marks| self.groups.placed_key(marks))
                .collect();
            each.sort_unstable();
            each.dedup();
            let mut key = vec![Mark::MAX, Mark::MAX];
            each.iter()
                .for_each(|one| key.extend([one, &[Mark::MAX][..]].concat()));
            key
        } else {
            self.groups.key(&all)
        };
        self.classes.class(key, || all, witness)
    }

    fn lost(&self) -> u32 {
        UNKNOWN
    }

    fn add_to(&self, nfa: &mut Nfa, root: Node) {
        for (index, group) in self.groups.groups.iter().enumerate() {
            for &rule in &group.rules {
                let Match::Path(patterns) = &self.policies[group.policy].policy.rules[rule].matches
                else {
                    continue;
                };
                patterns
                    .iter()
                    .for_each(|pattern| nfa.add(root, pattern, mark(index)));
            }
        }
        for (index, atom) in self.groups.atoms.iter().enumerate() {
            if let Some(pattern) = atom_pattern(atom, Subject::Path) {
                nfa.add(root, &pattern, self.groups.atom_mark(index));
            }
        }
    }

    fn as_marks(&self) -> &dyn Marks {
        self
    }
}

/// Executables, as far as rules tell them apart.
pub(super) struct ExeLabels<'a> {
    policies: &'a [Effective],
    pub(super) classes: Classes,
}

impl<'a> ExeLabels<'a> {
    pub(super) fn new(policies: &'a [Effective]) -> ExeLabels<'a> {
        ExeLabels {
            policies,
            classes: Classes::new(Vec::new()),
        }
    }
}

impl Marks for ExeLabels<'_> {
    fn settles(&self, _settled: Mark, _other: Mark) -> bool {
        false
    }
}

impl Labels for ExeLabels<'_> {
    fn label(&mut self, accepts: &[&[Mark]], witness: &dyn Fn() -> Vec<Vec<u8>>) -> u32 {
        let mut key: Vec<u32> = Vec::new();
        let mut each: Vec<&[Mark]> = accepts.to_vec();
        each.sort_unstable();
        each.dedup();
        for (index, marks) in each.iter().enumerate() {
            if index > 0 {
                key.push(Mark::MAX);
            }
            key.extend(*marks);
        }
        self.classes.class(key, || union(accepts), witness)
    }

    fn lost(&self) -> u32 {
        UNKNOWN
    }

    fn add_to(&self, nfa: &mut Nfa, root: Node) {
        let (lists, atoms) = binaries_of(self.policies);
        for (index, list) in lists.iter().enumerate() {
            list.iter()
                .for_each(|pattern| nfa.add(root, pattern, mark(index)));
        }
        for (index, atom) in atoms.iter().enumerate() {
            if let Some(pattern) = atom_pattern(atom, Subject::Exe) {
                nfa.add(root, &pattern, mark(lists.len() + index));
            }
        }
    }

    fn as_marks(&self) -> &dyn Marks {
        self
    }
}

/// `TYR_SIGNATURE_INTERPRETER` of the policy image.
pub(super) const INTERPRETER: u32 = 1 << 16;

/// Signatures of executables, or of files that interpreters open. Marks count the signatures in
/// the order in which they are tried; one more stands for interpreters.
pub(super) struct SignatureLabels<'a> {
    signatures: &'a Signatures,
    opened: bool,
    numbers: Vec<u16>,
}

impl<'a> SignatureLabels<'a> {
    pub(super) fn new(signatures: &'a Signatures, opened: bool) -> SignatureLabels<'a> {
        let numbers = signatures
            .by_priority()
            .map(|signature| signature.number)
            .collect();
        SignatureLabels {
            signatures,
            opened,
            numbers,
        }
    }
}

impl Marks for SignatureLabels<'_> {
    fn settles(&self, settled: Mark, other: Mark) -> bool {
        settled < other && (other as usize) < self.numbers.len()
    }
}

impl Labels for SignatureLabels<'_> {
    fn label(&mut self, accepts: &[&[Mark]], _witness: &dyn Fn() -> Vec<Vec<u8>>) -> u32 {
        let all = union(accepts);
        let agent = all
            .first()
            .and_then(|&first| self.numbers.get(first as usize));
        let interpreter = all
            .last()
            .is_some_and(|&last| last as usize == self.numbers.len());
        agent.map_or(0, |&number| u32::from(number)) | if interpreter { INTERPRETER } else { 0 }
    }

    fn lost(&self) -> u32 {
        NOTHING
    }

    fn add_to(&self, nfa: &mut Nfa, root: Node) {
        for (index, signature) in self.signatures.by_priority().enumerate() {
            let patterns = if self.opened {
                &signature.open
            } else {
                &signature.exe
            };
            patterns
                .iter()
                .for_each(|pattern| nfa.add(root, pattern, mark(index)));
        }
        if !self.opened {
            let interpreters = self.signatures.interpreters().iter();
            interpreters.for_each(|pattern| nfa.add(root, pattern, mark(self.numbers.len())));
        }
    }

    fn as_marks(&self) -> &dyn Marks {
        self
    }
}
