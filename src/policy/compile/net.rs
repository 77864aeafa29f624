//! The address automaton: which networks contain an address, for both families, and which ports
//! and protocols conditions tell apart there.
//!
//! A binary tree over the bits of a net key, in which equal subtrees are one, becomes an automaton
//! that reads a byte at a time. What lies behind the last bit that a rule asks about is absorbing:
//! where no condition reads the port or the protocol, which stand behind the address, they are not
//! read.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::model::action::Action;
use crate::model::resource::{Protocol, Resource};
use crate::policy::condition::Atom;
use crate::policy::network::AddressMatch;
use crate::policy::rule::{Effective, Match};

use super::CompileError;
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
    /// By class: the lowest peer, unless the class has none, and what it matches.
    pub(super) classes: Vec<(Option<Peer>, Vec<Mark>)>,
}

/// Most trees made and classes looked up for one image; each takes some microseconds.
pub(super) const STEPS_MAX: usize = 1 << 22;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    ip: IpAddr,
    port: u16,
    protocol: u16,
}

impl Peer {
    pub(super) fn resource(self) -> Resource {
        Resource::Address {
            ip: self.ip,
            port: self.port,
            protocol: Protocol::from_number(self.protocol),
        }
    }
}

/// Something that addresses match: a rule, or a comparison of a condition.
struct Entry {
    mark: Mark,
    addresses: AddressMatch,
}

pub(super) fn compile(policies: &[Effective]) -> Result<Net, CompileError> {
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
        services: HashMap::new(),
        steps: 0,
    };
    debug_assert_eq!(build.classes.len(), UNKNOWN as usize + 1);
    let four = build.family(true);
    let six = build.family(false);
    if build.is_full() {
        return Err(CompileError::TooManyPeers);
    }
    let (table, starts) = automaton(&build.trees, &[four, six]);
    let classes = build.classes;
    Ok(Net {
        table,
        start4: starts[0],
        start6: starts[1],
        groups,
        classes,
    })
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

/// The keys that begin with some bits: all of one class, or two halves.
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
    classes: Vec<(Option<Peer>, Vec<Mark>)>,
    by_key: HashMap<Vec<u32>, u32>,
    trees: Vec<Tree>,
    tree_ids: HashMap<Tree, u32>,
    /// By what an address matches: the tree of its ports and protocols.
    services: HashMap<Vec<Mark>, u32>,
    steps: usize,
}

/// A part of the key behind the address, and the values that conditions tell apart there.
struct Field {
    bits: u8,
    ranges: Vec<(RangeInclusive<u16>, Mark)>,
    put: fn(&mut Peer, u16),
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
            self.services(marks, ip, 0)
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
                        let ip = address(below, width);
                        self.services(held.marks(), ip, width - depth - 1)
                    }
                }
            });
            self.halves(halves)
        };
        for &(entry, exception) in &prefix.changes {
            held.change(self.entries, entry, exception, false);
        }
        tree
    }

    /// Every address that matches `marks`, of which `bits` are still to come; `ip` is the lowest.
    fn services(&mut self, marks: Vec<Mark>, ip: IpAddr, bits: u8) -> u32 {
        let tree = match self.services.get(&marks) {
            Some(&tree) => tree,
            None => {
                let fields = self.fields(&marks);
                let peer = Peer {
                    ip,
                    port: 0,
                    protocol: 0,
                };
                let tree = self.field(&fields, peer, marks.clone());
                self.services.insert(marks, tree);
                tree
            }
        };
        self.padded(tree, bits)
    }

    /// The port and the protocol, with what the rules that decide for `marks` ask of them.
    fn fields(&self, marks: &[Mark]) -> [Field; 2] {
        let groups = self.groups.deciding(marks);
        let mut ports = Vec::new();
        let mut protocols = Vec::new();
        for (index, atom) in self.groups.atoms.iter().enumerate() {
            let mark = self.groups.atom_mark(index);
            let (list, range) = match *atom {
                Atom::Ports { first, last } => (&mut ports, first..=last),
                Atom::Protocol(number) => {
                    let number = u16::from(number);
                    (&mut protocols, number..=number)
                }
                Atom::Address(_) | Atom::Literal { .. } | Atom::Like { .. } => continue,
            };
            if self.groups.ask(&groups, mark) {
                list.push((range, mark));
            }
        }
        [
            Field {
                bits: 16,
                ranges: ports,
                put: |peer, value| peer.port = value,
            },
            Field {
                bits: 8,
                ranges: protocols,
                put: |peer, value| peer.protocol = value,
            },
        ]
    }

    /// The keys behind what `peer` and `marks` already stand for.
    fn field(&mut self, fields: &[Field], peer: Peer, marks: Vec<Mark>) -> u32 {
        match fields.first() {
            Some(field) => self.range(fields, peer, &marks, 0, field.bits),
            None => {
                let class = self.class(marks, peer);
                self.intern(Tree::All(class))
            }
        }
    }

    /// Those whose next field is from `first` on, with any values of the last `bits` bits.
    fn range(
        &mut self,
        fields: &[Field],
        mut peer: Peer,
        marks: &[Mark],
        first: u16,
        bits: u8,
    ) -> u32 {
        let Some((field, rest)) = fields.split_first() else {
            return self.field(fields, peer, marks.to_vec());
        };
        let last = first | u16::MAX.checked_shr(16 - u32::from(bits)).unwrap_or(0);
        let is_cut = |range: &RangeInclusive<u16>| {
            let is_outside = last < *range.start() || *range.end() < first;
            !is_outside && (!range.contains(&first) || !range.contains(&last))
        };
        if !self.is_full() && field.ranges.iter().any(|(range, _)| is_cut(range)) {
            let middle = first | 1 << (bits - 1);
            let halves =
                [first, middle].map(|half| self.range(fields, peer, marks, half, bits - 1));
            return self.halves(halves);
        }
        (field.put)(&mut peer, first);
        let holding = field
            .ranges
            .iter()
            .filter(|(range, _)| range.contains(&first));
        let marks = marks.iter().copied();
        let marks = marks.chain(holding.map(|&(_, mark)| mark)).collect();
        let tree = self.field(rest, peer, marks);
        self.padded(tree, bits)
    }

    /// `tree`, whatever the `bits` before it are.
    fn padded(&mut self, tree: u32, bits: u8) -> u32 {
        (0..bits).fold(tree, |tree, _| self.halves([tree, tree]))
    }

    fn halves(&mut self, [zero, one]: [u32; 2]) -> u32 {
        if zero == one && matches!(self.trees[zero as usize], Tree::All(_)) {
            return zero;
        }
        self.intern(Tree::Halves(zero, one))
    }

    fn is_full(&self) -> bool {
        self.steps > STEPS_MAX
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

    fn class(&mut self, marks: Vec<Mark>, peer: Peer) -> u32 {
        self.steps += 1;
        let fresh = mark(self.classes.len());
        let class = *self.by_key.entry(self.groups.key(&marks)).or_insert(fresh);
        if class == fresh {
            self.classes.push((None, Vec::new()));
        }
        let found = &mut self.classes[class as usize];
        if found.0.is_none() {
            *found = (Some(peer), marks);
        }
        class
    }

    fn intern(&mut self, tree: Tree) -> u32 {
        let fresh = mark(self.trees.len());
        let id = *self.tree_ids.entry(tree).or_insert(fresh);
        if id == fresh {
            self.trees.push(tree);
            self.steps += 1;
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
