//! From the trie to a deterministic automaton: each state is a set of nodes.

use std::collections::HashMap;

use super::CompileError;
use super::groups::{Mark, Marks};
use super::hash::QuickMap;
use super::nfa::{Loop, Nfa, Node, Reach};

/// Most states before minimisation, mounts included. A policy of ten thousand ordinary rules
/// needs about a tenth; what needs more has wildcards that multiply.
pub const STATES_MAX: usize = 1_000_000;

/// The state that nothing leads out of and in which nothing matched.
pub(super) const DEAD: u32 = 0;

/// One state.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Index into `Dfa::accepts`.
    pub(super) accept: u32,
    /// Where classes without an entry of their own lead.
    pub(super) default: u32,
    first: u32,
    count: u32,
    /// State and class from which this one was first reached, on a shortest way.
    from: u32,
    by: u8,
}

/// A deterministic automaton over byte classes, with one start state per root.
#[derive(Debug)]
pub(super) struct Dfa {
    pub(super) class_of: [u8; 256],
    pub(super) classes: usize,
    /// A byte of each class, one that people can read where there is one.
    pub(super) byte_of: Vec<u8>,
    pub(super) states: Vec<State>,
    entries: Vec<(u8, u32)>,
    /// Sorted marks; the first is empty.
    pub(super) accepts: Vec<Box<[Mark]>>,
    accept_ids: HashMap<Box<[Mark]>, u32>,
    /// First state of each root; the states of a root follow one another.
    pub(super) starts: Vec<u32>,
    /// For each root a state and a class that lead to the dead state, first found first.
    dead_from: Vec<Option<(u32, u8)>>,
}

impl Dfa {
    fn new(nfa: &Nfa, literals: &[u8]) -> Dfa {
        let (class_of, byte_of) = byte_classes(nfa, literals);
        let dead = State {
            accept: 0,
            default: DEAD,
            first: 0,
            count: 0,
            from: DEAD,
            by: 0,
        };
        Dfa {
            class_of,
            classes: byte_of.len(),
            byte_of,
            states: vec![dead],
            entries: Vec::new(),
            accepts: vec![Box::default()],
            accept_ids: HashMap::from([(Box::default(), 0)]),
            starts: Vec::new(),
            dead_from: Vec::new(),
        }
    }

    /// The state after one byte of `class`.
    pub(super) fn step(&self, state: u32, class: u8) -> u32 {
        let entries = self.entries(state);
        match entries.binary_search_by_key(&class, |&(class, _)| class) {
            Ok(index) => entries[index].1,
            Err(_) => self.states[state as usize].default,
        }
    }

    /// The state after `bytes`.
    pub(super) fn walk(&self, state: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(state, |state, &byte| {
            self.step(state, self.class_of[usize::from(byte)])
        })
    }

    /// What matches a path that ends in `state`.
    pub(super) fn accept(&self, state: u32) -> &[Mark] {
        &self.accepts[self.states[state as usize].accept as usize]
    }

    /// A shortest path that ends in `state`; empty for start states and the dead state.
    pub(super) fn witness(&self, state: u32) -> Vec<u8> {
        let mut path = Vec::new();
        let mut at = state;
        while at != DEAD && self.starts.binary_search(&at).is_err() {
            let found = &self.states[at as usize];
            path.push(self.byte_of[usize::from(found.by)]);
            at = found.from;
        }
        path.reverse();
        path
    }

    /// A short path after which nothing of root `root` can match.
    pub(super) fn dead_witness(&self, root: usize) -> Option<Vec<u8>> {
        let (from, by) = (*self.dead_from.get(root)?)?;
        let mut path = self.witness(from);
        path.push(self.byte_of[usize::from(by)]);
        Some(path)
    }

    /// The states of a root.
    pub(super) fn states_of(&self, root: usize) -> std::ops::Range<u32> {
        let end = self.starts.get(root + 1).copied();
        self.starts[root]..end.unwrap_or(u32::try_from(self.states.len()).unwrap_or(u32::MAX))
    }

    /// Entries of a state that differ from its default, sorted by class.
    pub(super) fn entries(&self, state: u32) -> &[(u8, u32)] {
        let state = &self.states[state as usize];
        &self.entries[state.first as usize..(state.first + state.count) as usize]
    }

    fn accept_id(&mut self, marks: Vec<Mark>) -> u32 {
        let marks = marks.into_boxed_slice();
        if let Some(&id) = self.accept_ids.get(&marks) {
            return id;
        }
        let id = u32::try_from(self.accepts.len()).unwrap_or(u32::MAX);
        self.accepts.push(marks.clone());
        self.accept_ids.insert(marks, id);
        id
    }
}

/// Builds the automaton of `nfa` with a start state for each of `roots`. Every byte of `literals` is
/// told from every other, besides those that patterns tell apart.
///
/// # Errors
/// More than `STATES_MAX` states, with the patterns that multiply them.
pub(super) fn build(
    nfa: &Nfa,
    roots: &[(Node, &dyn Marks)],
    literals: &[u8],
) -> Result<Dfa, CompileError> {
    let mut dfa = Dfa::new(nfa, literals);
    let reach = nfa.reachable();
    for &(root, marks) in roots {
        let mut builder = Builder {
            nfa,
            marks,
            reach: &reach,
            set_classes: set_classes(nfa, &dfa.byte_of),
            sets: vec![Box::default()],
            ids: QuickMap::default(),
            base: dfa.states.len() - 1,
            dead_from: None,
        };
        let start = builder.run(root, &mut dfa)?;
        dfa.starts.push(start);
        dfa.dead_from.push(builder.dead_from);
    }
    Ok(dfa)
}

struct Builder<'a> {
    nfa: &'a Nfa,
    marks: &'a dyn Marks,
    reach: &'a [Reach],
    /// Classes inside each set edge, by node and place.
    set_classes: HashMap<(Node, usize), Vec<u8>>,
    /// Nodes of each state of this root; the first is the dead state's.
    sets: Vec<Box<[Node]>>,
    ids: QuickMap<Box<[Node]>, u32>,
    base: usize,
    dead_from: Option<(u32, u8)>,
}

impl Builder<'_> {
    fn run(&mut self, root: Node, dfa: &mut Dfa) -> Result<u32, CompileError> {
        self.ids.insert(Box::default(), DEAD);
        let start = self.intern(vec![root], dfa, DEAD, 0)?;
        let mut next = 1;
        while next < self.sets.len() {
            let state = self.base + next;
            let set = self.sets[next].clone();
            self.expand(&set, state, start, dfa)?;
            next += 1;
        }
        Ok(start)
    }

    fn expand(
        &mut self,
        set: &[Node],
        state: usize,
        start: u32,
        dfa: &mut Dfa,
    ) -> Result<(), CompileError> {
        let slash = dfa.class_of[usize::from(b'/')];
        let (names, slashes, mut special) = self.successors(set, dfa);
        let from = u32::try_from(state).unwrap_or(u32::MAX);
        // Every path begins with a slash.
        let is_start = from == start;
        let other = dfa
            .class_of
            .iter()
            .copied()
            .find(|&c| c != slash && !special.contains_key(&c));
        let default = match other {
            Some(class) if !is_start => self.intern(names.clone(), dfa, from, class)?,
            _ => DEAD,
        };
        special.entry(slash).or_default();
        let mut classes: Vec<(u8, Vec<Node>)> = special.into_iter().collect();
        classes.sort_unstable_by_key(|&(class, _)| class);
        let first = dfa.entries.len();
        for (class, mut nodes) in classes {
            if is_start && class != slash {
                continue;
            }
            nodes.extend(if class == slash { &slashes } else { &names });
            let target = self.intern(nodes, dfa, from, class)?;
            if target != default {
                dfa.entries.push((class, target));
            }
        }
        let count = dfa.entries.len() - first;
        let found = &mut dfa.states[state];
        found.default = default;
        found.first = u32::try_from(first).unwrap_or(u32::MAX);
        found.count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(())
    }

    /// Nodes after any byte of a name, nodes after a slash, and nodes after bytes of one class.
    #[allow(clippy::type_complexity)]
    fn successors(
        &self,
        set: &[Node],
        dfa: &Dfa,
    ) -> (Vec<Node>, Vec<Node>, HashMap<u8, Vec<Node>>) {
        let (mut names, mut slashes) = (Vec::new(), Vec::new());
        let mut special: HashMap<u8, Vec<Node>> = HashMap::new();
        for &node in set {
            let state = &self.nfa.states[node as usize];
            match state.looping {
                Loop::None => {}
                Loop::Name => names.push(node),
                Loop::Depth => {
                    names.push(Nfa::skipped_of(node));
                    slashes.push(node);
                }
                Loop::Skipped(owner) => {
                    names.push(node);
                    slashes.push(owner);
                }
                Loop::Rest => {
                    names.push(node);
                    slashes.push(node);
                }
            }
            names.extend(state.any);
            for &(byte, next) in &state.bytes {
                special
                    .entry(dfa.class_of[usize::from(byte)])
                    .or_default()
                    .push(next);
            }
            for (place, &(_, next)) in state.sets.iter().enumerate() {
                for &class in &self.set_classes[&(node, place)] {
                    special.entry(class).or_default().push(next);
                }
            }
        }
        (names, slashes, special)
    }

    /// The state of a set of nodes, made when it is new.
    fn intern(
        &mut self,
        nodes: Vec<Node>,
        dfa: &mut Dfa,
        from: u32,
        by: u8,
    ) -> Result<u32, CompileError> {
        let set = self.complete(nodes).into_boxed_slice();
        if let Some(&known) = self.ids.get(&set) {
            if known == DEAD {
                self.dead_from.get_or_insert((from, by));
            }
            return Ok(known);
        }
        if dfa.states.len() >= STATES_MAX {
            return Err(self.too_many());
        }
        let id = u32::try_from(dfa.states.len()).unwrap_or(u32::MAX);
        let mut accept: Vec<Mark> = set
            .iter()
            .flat_map(|&node| self.nfa.states[node as usize].marks.iter().copied())
            .collect();
        accept.sort_unstable();
        accept.dedup();
        let accept = dfa.accept_id(accept);
        dfa.states.push(State {
            accept,
            default: DEAD,
            first: 0,
            count: 0,
            from,
            by,
        });
        self.sets.push(set.clone());
        self.ids.insert(set, id);
        Ok(id)
    }

    /// Adds what is entered without a byte, and drops what can make no difference any more.
    fn complete(&self, mut nodes: Vec<Node>) -> Vec<Node> {
        let mut at = 0;
        while at < nodes.len() {
            nodes.extend(&self.nfa.states[nodes[at] as usize].free);
            at += 1;
        }
        nodes.sort_unstable();
        nodes.dedup();
        let settled: Vec<Mark> = nodes
            .iter()
            .filter(|&&node| self.nfa.is_settled(node))
            .flat_map(|&node| self.nfa.states[node as usize].marks.iter().copied())
            .collect();
        if !settled.is_empty() {
            nodes.retain(|&node| {
                let last = self.nfa.is_settled(node);
                !self.reach[node as usize].iter().all(|&mark| {
                    settled.iter().any(|&by| {
                        if by == mark {
                            !last
                        } else {
                            self.marks.settles(by, mark)
                        }
                    })
                })
            });
        }
        nodes
    }

    /// Names the patterns whose wildcards are alive in most of the latest states.
    fn too_many(&self) -> CompileError {
        let mut alive: HashMap<u32, usize> = HashMap::new();
        for set in self.sets.iter().rev().take(10_000) {
            for &node in set {
                let state = &self.nfa.states[node as usize];
                if matches!(state.looping, Loop::Name | Loop::Depth) {
                    *alive.entry(state.pattern).or_default() += 1;
                }
            }
        }
        let mut worst: Vec<(usize, u32)> = alive.into_iter().map(|(p, count)| (count, p)).collect();
        worst.sort_unstable_by(|a, b| b.cmp(a));
        let patterns = worst
            .iter()
            .take(3)
            .filter_map(|&(_, pattern)| self.nfa.patterns.get(pattern as usize).cloned())
            .collect();
        CompileError::TooManyStates { patterns }
    }
}

/// Bytes that no pattern tells apart are one class. Gives the class of each byte and a byte of
/// each class.
fn byte_classes(nfa: &Nfa, literals: &[u8]) -> ([u8; 256], Vec<u8>) {
    let mut alone = [false; 256];
    alone[usize::from(b'/')] = true;
    for &byte in literals {
        alone[usize::from(byte)] = true;
    }
    let mut sets = Vec::new();
    for state in &nfa.states {
        for &(byte, _) in &state.bytes {
            alone[usize::from(byte)] = true;
        }
        for (set, _) in &state.sets {
            if !sets.contains(set) {
                sets.push(*set);
            }
        }
    }
    let mut classes: HashMap<(Option<u8>, Vec<bool>), u8> = HashMap::new();
    let mut class_of = [0; 256];
    let mut byte_of: Vec<u8> = Vec::new();
    // Letters first, so that they stand for their class; the NUL byte is in no path.
    let readable = (b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(b'A'..=b'Z')
        .chain(b'!'..=b'~');
    for byte in readable.chain(0..=u8::MAX) {
        let key = (
            alone[usize::from(byte)].then_some(byte),
            sets.iter().map(|set| set.contains(byte)).collect(),
        );
        let fresh = u8::try_from(byte_of.len()).unwrap_or(u8::MAX);
        let class = *classes.entry(key).or_insert(fresh);
        if usize::from(class) == byte_of.len() {
            byte_of.push(byte);
        }
        class_of[usize::from(byte)] = class;
    }
    (class_of, byte_of)
}

fn set_classes(nfa: &Nfa, byte_of: &[u8]) -> HashMap<(Node, usize), Vec<u8>> {
    let mut found = HashMap::new();
    for (node, state) in nfa.states.iter().enumerate() {
        for (place, (set, _)) in state.sets.iter().enumerate() {
            let classes = (0u8..)
                .zip(byte_of)
                .filter(|&(_, &byte)| set.contains(byte));
            let node = Node::try_from(node).unwrap_or(Node::MAX);
            found.insert((node, place), classes.map(|(class, _)| class).collect());
        }
    }
    found
}
