//! The address automaton: which networks contain an address, for both families.
//!
//! A binary tree over address bits, in which equal subtrees are one, becomes an automaton that
//! reads a byte at a time. What lies behind the last bit that a rule asks about is absorbing, so
//! the port and the protocol that follow in a net key are not read.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::action::Action;
use crate::policy::condition::Atom;
use crate::policy::network::AddressMatch;
use crate::policy::rule::{Effective, Match};

use super::classes::{NOTHING, UNKNOWN};
use super::groups::{Groups, Mark, mark};
use super::minimise::Graph;
use super::table::Table;

/// The automaton and what its labels stand for.
pub(super) struct Net {
    pub(super) table: Table,
    pub(super) start4: u32,
    pub(super) start6: u32,
    pub(super) groups: Groups,
    /// By class: the lowest address, unless the class has none, and what it matches.
    pub(super) classes: Vec<(Option<IpAddr>, Vec<Mark>)>,
}

/// Something that addresses match: a rule, or a comparison of a condition.
struct Entry {
    mark: Mark,
    addresses: AddressMatch,
}

pub(super) fn compile(policies: &[Effective]) -> Net {
    let groups = Groups::new(policies, Action::NetConnect);
    let entries = entries(policies, &groups);
    let nothing = groups.key(&[]);
    let mut build = Build {
        groups: &groups,
        entries: &entries,
        classes: vec![(None, Vec::new()), (None, Vec::new())],
        by_key: HashMap::from([(nothing, NOTHING)]),
        trees: Vec::new(),
        tree_ids: HashMap::new(),
    };
    debug_assert_eq!(build.classes.len(), UNKNOWN as usize + 1);
    let four = build.family(true);
    let six = build.family(false);
    let (table, starts) = automaton(&build.trees, &[four, six]);
    let classes = build.classes;
    Net {
        table,
        start4: starts[0],
        start6: starts[1],
        groups,
        classes,
    }
}

fn entries(policies: &[Effective], groups: &Groups) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, group) in groups.groups.iter().enumerate() {
        for &rule in &group.rules {
            if let Match::Address(addresses) = &policies[group.policy].policy.rules[rule].matches {
                entries.push(Entry {
                    mark: mark(index),
                    addresses: addresses.clone(),
                });
            }
        }
    }
    for (index, atom) in groups.atoms.iter().enumerate() {
        if let Atom::Address(ip) = atom {
            let only = vec![IpNet::from(*ip)];
            let addresses = AddressMatch::new(crate::model::verdict::Verdict::Allow, only, vec![]);
            entries.push(Entry {
                mark: groups.atom_mark(index),
                addresses,
            });
        }
    }
    entries
}

/// A set of addresses below some prefix: all of one class, or two halves.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Tree {
    All(u32),
    Halves(u32, u32),
}

/// Prefixes of one family as a binary tree, with what begins to hold at each.
#[derive(Default)]
struct Prefix {
    halves: [Option<usize>; 2],
    /// (entry, whether it is one of its exceptions)
    changes: Vec<(usize, bool)>,
}

/// What holds for the prefix under the walk.
struct Held {
    included: Vec<u32>,
    excluded: Vec<u32>,
    /// Entries that hold, by mark.
    marks: BTreeMap<Mark, u32>,
}

impl Held {
    fn new(entries: &[Entry]) -> Held {
        let mut held = Held {
            included: vec![0; entries.len()],
            excluded: vec![0; entries.len()],
            marks: BTreeMap::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            if entry.addresses.included().is_empty() {
                held.change(entries, index, false, true);
            }
        }
        held
    }

    fn holds(&self, entry: usize) -> bool {
        self.included[entry] > 0 && self.excluded[entry] == 0
    }

    fn change(&mut self, entries: &[Entry], entry: usize, exception: bool, begins: bool) {
        let before = self.holds(entry);
        let list = if exception {
            &mut self.excluded
        } else {
            &mut self.included
        };
        list[entry] = if begins {
            list[entry] + 1
        } else {
            list[entry] - 1
        };
        let after = self.holds(entry);
        let mark = entries[entry].mark;
        if after && !before {
            *self.marks.entry(mark).or_default() += 1;
        } else if before && !after {
            let count = self.marks.entry(mark).or_default();
            *count -= 1;
            if *count == 0 {
                self.marks.remove(&mark);
            }
        }
    }

    fn marks(&self) -> Vec<Mark> {
        self.marks.keys().copied().collect()
    }
}

struct Build<'a> {
    groups: &'a Groups,
    entries: &'a [Entry],
    classes: Vec<(Option<IpAddr>, Vec<Mark>)>,
    by_key: HashMap<Vec<u32>, u32>,
    trees: Vec<Tree>,
    tree_ids: HashMap<Tree, u32>,
}

/// Address bits, the first in the highest; IPv4 uses the upper 32.
type Bits = u128;

impl Build<'_> {
    fn family(&mut self, four: bool) -> u32 {
        let mut prefixes = vec![Prefix::default()];
        for (index, entry) in self.entries.iter().enumerate() {
            let included = entry
                .addresses
                .included()
                .iter()
                .map(|network| (network, false));
            let excluded = entry
                .addresses
                .excluded()
                .iter()
                .map(|network| (network, true));
            for (network, exception) in included.chain(excluded) {
                if network.addr().is_ipv4() == four {
                    let node = insert(&mut prefixes, bits(network.network()), network.prefix_len());
                    prefixes[node].changes.push((index, exception));
                }
            }
        }
        // The unspecified address is loopback: it is told from its neighbours.
        let width: u8 = if four { 32 } else { 128 };
        insert(&mut prefixes, 0, width);
        let mut held = Held::new(self.entries);
        self.tree(&prefixes, 0, 0, 0, width, &mut held)
    }

    fn tree(
        &mut self,
        prefixes: &[Prefix],
        node: usize,
        at: Bits,
        depth: u8,
        width: u8,
        held: &mut Held,
    ) -> u32 {
        let prefix = &prefixes[node];
        for &(entry, exception) in &prefix.changes {
            held.change(self.entries, entry, exception, true);
        }
        let tree = if depth == width {
            let ip = address(at, width);
            let marks = if at == 0 {
                self.matching(ip)
            } else {
                held.marks()
            };
            Tree::All(self.class(marks, ip))
        } else {
            let halves: [u32; 2] = std::array::from_fn(|half| {
                let below = if half == 1 {
                    at | 1 << (127 - depth)
                } else {
                    at
                };
                match prefix.halves[half] {
                    Some(next) => self.tree(prefixes, next, below, depth + 1, width, held),
                    None => {
                        let class = self.class(held.marks(), address(below, width));
                        self.intern(Tree::All(class))
                    }
                }
            });
            match halves.map(|half| self.trees[half as usize]) {
                [Tree::All(zero), Tree::All(one)] if zero == one => Tree::All(zero),
                _ => Tree::Halves(halves[0], halves[1]),
            }
        };
        for &(entry, exception) in &prefix.changes {
            held.change(self.entries, entry, exception, false);
        }
        self.intern(tree)
    }

    /// What an address matches, asked one by one.
    fn matching(&self, ip: IpAddr) -> Vec<Mark> {
        let matching = self
            .entries
            .iter()
            .filter(|entry| match self.groups.group(entry.mark) {
                Some(_) => entry.addresses.matches(ip),
                // A condition compares the address itself.
                None => entry.addresses.included() == [IpNet::from(ip)],
            });
        let mut marks: Vec<Mark> = matching.map(|entry| entry.mark).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    fn class(&mut self, marks: Vec<Mark>, ip: IpAddr) -> u32 {
        let fresh = mark(self.classes.len());
        let class = *self.by_key.entry(self.groups.key(&marks)).or_insert(fresh);
        if class == fresh {
            self.classes.push((None, Vec::new()));
        }
        let found = &mut self.classes[class as usize];
        if found.0.is_none() {
            *found = (Some(ip), marks);
        }
        class
    }

    fn intern(&mut self, tree: Tree) -> u32 {
        let fresh = mark(self.trees.len());
        let id = *self.tree_ids.entry(tree).or_insert(fresh);
        if id == fresh {
            self.trees.push(tree);
        }
        id
    }
}

fn insert(prefixes: &mut Vec<Prefix>, bits: Bits, length: u8) -> usize {
    let mut node = 0;
    for depth in 0..length {
        let half = usize::from(bits >> (127 - depth) & 1 == 1);
        node = match prefixes[node].halves[half] {
            Some(next) => next,
            None => {
                prefixes.push(Prefix::default());
                let next = prefixes.len() - 1;
                prefixes[node].halves[half] = Some(next);
                next
            }
        };
    }
    node
}

fn bits(ip: IpAddr) -> Bits {
    match ip {
        IpAddr::V4(ip) => Bits::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn address(bits: Bits, width: u8) -> IpAddr {
    if width == 32 {
        Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap_or(0)).into()
    } else {
        Ipv6Addr::from_bits(bits).into()
    }
}

/// Reads the trees a byte at a time.
fn automaton(trees: &[Tree], roots: &[u32]) -> (Table, Vec<u32>) {
    let mut graph = Graph::new(256);
    graph.push(NOTHING, 0, &[]);
    // Trees in the order in which they get a state; the first state is the dead one.
    let mut order: Vec<u32> = Vec::new();
    let mut states: HashMap<u32, u32> = HashMap::new();
    let mut state_of = |tree: u32, order: &mut Vec<u32>| {
        *states.entry(tree).or_insert_with(|| {
            order.push(tree);
            mark(order.len())
        })
    };
    let mut starts: Vec<u32> = roots
        .iter()
        .map(|&root| state_of(root, &mut order))
        .collect();
    let mut next = 0;
    while next < order.len() {
        let tree = order[next];
        next += 1;
        match trees[tree as usize] {
            Tree::All(class) => graph.push(class, mark(next), &[]),
            Tree::Halves(..) => {
                let targets: Vec<u32> = (0..=u8::MAX)
                    .map(|byte| state_of(below(trees, tree, byte), &mut order))
                    .collect();
                let default = targets[usize::from(u8::MAX)];
                let entries: Vec<(u8, u32)> = (0..=u8::MAX)
                    .zip(targets)
                    .filter(|&(_, target)| target != default)
                    .collect();
                graph.push(NOTHING, default, &entries);
            }
        }
    }
    let identity = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or(0));
    let table = Table::build(graph, &identity, &mut starts);
    (table, starts)
}

/// The tree after eight bits.
fn below(trees: &[Tree], tree: u32, byte: u8) -> u32 {
    (0..8)
        .rev()
        .fold(tree, |tree, bit| match trees[tree as usize] {
            Tree::All(_) => tree,
            Tree::Halves(zero, one) => {
                if byte >> bit & 1 == 1 {
                    one
                } else {
                    zero
                }
            }
        })
}
