//! The smallest automaton with the same labels.
//!
//! States begin in one block per label. A block splits where states lead to different blocks; the
//! largest part keeps the name of the block, so that few predecessors have to be looked at again.
//! States are compared by their *default* target and the classes that lead elsewhere, because most
//! states treat most bytes alike.

use std::collections::HashMap;

use super::hash::QuickMap;

/// An automaton before it is minimised. State 0 is dead: it leads to itself.
pub(super) struct Graph {
    pub(super) classes: usize,
    pub(super) labels: Vec<u32>,
    /// Target of every class that `entries` does not name.
    pub(super) defaults: Vec<u32>,
    /// Place in `entries` of each state's own; one more than there are states.
    pub(super) first: Vec<u32>,
    /// Sorted by class within a state.
    pub(super) entries: Vec<(u8, u32)>,
}

impl Graph {
    pub(super) fn new(classes: usize) -> Graph {
        Graph {
            classes,
            labels: Vec::new(),
            defaults: Vec::new(),
            first: vec![0],
            entries: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, label: u32, default: u32, entries: &[(u8, u32)]) {
        self.labels.push(label);
        self.defaults.push(default);
        self.entries.extend_from_slice(entries);
        self.first
            .push(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn entries(&self, state: usize) -> &[(u8, u32)] {
        &self.entries[self.first[state] as usize..self.first[state + 1] as usize]
    }

    pub(super) fn step(&self, state: usize, class: u8) -> u32 {
        let entries = self.entries(state);
        match entries.binary_search_by_key(&class, |&(class, _)| class) {
            Ok(index) => entries[index].1,
            Err(_) => self.defaults[state],
        }
    }

    /// Leads every transition to a state from which no label can be reached to the dead state.
    fn trim(&mut self) {
        let before = Predecessors::new(self);
        let mut live = vec![false; self.len()];
        let mut queue: Vec<u32> = (0u32..)
            .zip(&self.labels)
            .filter(|(_, l)| **l != 0)
            .map(|(s, _)| s)
            .collect();
        while let Some(state) = queue.pop() {
            if !std::mem::replace(&mut live[state as usize], true) {
                queue.extend(before.of(state));
            }
        }
        let alive = |target: &mut u32| {
            if !live[*target as usize] {
                *target = 0;
            }
        };
        self.defaults.iter_mut().for_each(alive);
        self.entries
            .iter_mut()
            .for_each(|(_, target)| alive(target));
    }
}

/// States that lead to a state, in compressed rows. A state may be named twice.
struct Predecessors {
    first: Vec<u32>,
    states: Vec<u32>,
}

impl Predecessors {
    fn new(graph: &Graph) -> Predecessors {
        let mut first = vec![0u32; graph.len() + 1];
        let targets = |visit: &mut dyn FnMut(u32, u32)| {
            for (state, number) in (0..graph.len()).zip(0u32..) {
                visit(number, graph.defaults[state]);
                graph
                    .entries(state)
                    .iter()
                    .for_each(|&(_, target)| visit(number, target));
            }
        };
        targets(&mut |_, target| first[target as usize + 1] += 1);
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        let mut next = first.clone();
        let mut states = vec![0; first[graph.len()] as usize];
        targets(&mut |state, target| {
            states[next[target as usize] as usize] = state;
            next[target as usize] += 1;
        });
        Predecessors { first, states }
    }

    fn of(&self, state: u32) -> &[u32] {
        let state = state as usize;
        &self.states[self.first[state] as usize..self.first[state + 1] as usize]
    }
}

struct Blocks<'a> {
    graph: &'a Graph,
    block_of: Vec<u32>,
    members: Vec<Vec<u32>>,
    /// Place of a state among the members of its block.
    place: Vec<u32>,
    dirty: Vec<bool>,
    /// Class by which the default of a state is told.
    common: u8,
}

/// The block of each state; states of one block are alike.
pub(super) fn blocks(graph: &mut Graph) -> Vec<u32> {
    graph.trim();
    let before = Predecessors::new(graph);
    let mut blocks = Blocks::new(graph);
    let mut dirty: Vec<u32> = (0u32..).take(graph.len()).collect();
    while !dirty.is_empty() {
        dirty.sort_unstable_by_key(|&state| blocks.block_of[state as usize]);
        dirty
            .iter()
            .for_each(|&state| blocks.dirty[state as usize] = true);
        let mut moved = Vec::new();
        for states in dirty
            .chunk_by(|&a, &b| blocks_equal(&blocks.block_of, a, b))
            .map(<[u32]>::to_vec)
            .collect::<Vec<_>>()
        {
            blocks.split(&states, &mut moved);
        }
        dirty
            .iter()
            .for_each(|&state| blocks.dirty[state as usize] = false);
        dirty = moved
            .iter()
            .flat_map(|&state| before.of(state).iter().copied())
            .collect();
        dirty.sort_unstable();
        dirty.dedup();
    }
    blocks.block_of
}

fn blocks_equal(block_of: &[u32], a: u32, b: u32) -> bool {
    block_of[a as usize] == block_of[b as usize]
}

impl Blocks<'_> {
    fn new(graph: &Graph) -> Blocks<'_> {
        let mut by_label: HashMap<u32, u32> = HashMap::from([(graph.labels[0], 0)]);
        let mut members: Vec<Vec<u32>> = vec![Vec::new()];
        let mut block_of = Vec::with_capacity(graph.len());
        let mut place = Vec::with_capacity(graph.len());
        for (state, label) in (0u32..).zip(&graph.labels) {
            let fresh = u32::try_from(members.len()).unwrap_or(u32::MAX);
            let block = *by_label.entry(*label).or_insert(fresh);
            if block == fresh {
                members.push(Vec::new());
            }
            let list = &mut members[block as usize];
            place.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
            list.push(state);
            block_of.push(block);
        }
        let mut named = vec![0usize; graph.classes];
        graph
            .entries
            .iter()
            .for_each(|&(class, _)| named[usize::from(class)] += 1);
        let common = (0..graph.classes)
            .min_by_key(|&class| named[class])
            .unwrap_or(0);
        Blocks {
            graph,
            block_of,
            members,
            place,
            dirty: vec![false; graph.len()],
            common: u8::try_from(common).unwrap_or(0),
        }
    }

    /// Blocks that a state leads to: that of the common class, then the classes that differ.
    fn signature(&self, state: u32) -> Box<[u32]> {
        let state = state as usize;
        let block = |target: u32| self.block_of[target as usize];
        let common = block(self.graph.step(state, self.common));
        let default = block(self.graph.defaults[state]);
        let entries = self.graph.entries(state);
        let mut signature = vec![common];
        if default == common {
            for &(class, target) in entries {
                if block(target) != common {
                    signature.extend([u32::from(class), block(target)]);
                }
            }
            return signature.into_boxed_slice();
        }
        for class in 0..self.graph.classes {
            let class = u8::try_from(class).unwrap_or(u8::MAX);
            let target = block(self.graph.step(state, class));
            if target != common {
                signature.extend([u32::from(class), target]);
            }
        }
        signature.into_boxed_slice()
    }

    /// Splits the block of `states`, which are those of its members that may differ from the rest.
    fn split(&mut self, states: &[u32], moved: &mut Vec<u32>) {
        let block = self.block_of[states[0] as usize];
        let mut groups: QuickMap<Box<[u32]>, Vec<u32>> = QuickMap::default();
        for &state in states {
            groups.entry(self.signature(state)).or_default().push(state);
        }
        let clean = self.members[block as usize].len() - states.len();
        let mut keeper = None;
        if clean > 0 {
            let members = &self.members[block as usize];
            let one = members
                .iter()
                .copied()
                .find(|&state| !self.dirty[state as usize]);
            let Some(one) = one else { return };
            let signature = self.signature(one);
            let alike = groups.get(&signature).map_or(0, Vec::len);
            if groups
                .iter()
                .all(|(other, group)| *other == signature || group.len() <= clean + alike)
            {
                keeper = Some(signature);
            } else {
                let rest = self.members[block as usize].iter().copied();
                let rest: Vec<u32> = rest.filter(|&state| !self.dirty[state as usize]).collect();
                groups.entry(signature).or_default().extend(rest);
            }
        }
        let keeper = keeper.or_else(|| {
            groups
                .iter()
                .max_by_key(|(_, group)| group.len())
                .map(|(signature, _)| signature.clone())
        });
        let mut leaving: Vec<Vec<u32>> = groups
            .into_iter()
            .filter(|(signature, _)| Some(signature) != keeper.as_ref())
            .map(|(_, group)| group)
            .collect();
        leaving.sort_unstable_by_key(|group| group[0]);
        for group in leaving {
            self.detach(&group);
            moved.extend(group);
        }
    }

    fn detach(&mut self, group: &[u32]) {
        let fresh = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.members.push(Vec::with_capacity(group.len()));
        for &state in group {
            let old = &mut self.members[self.block_of[state as usize] as usize];
            let place = self.place[state as usize] as usize;
            old.swap_remove(place);
            if let Some(&other) = old.get(place) {
                self.place[other as usize] = self.place[state as usize];
            }
            let new = &mut self.members[fresh as usize];
            self.place[state as usize] = u32::try_from(new.len()).unwrap_or(u32::MAX);
            new.push(state);
            self.block_of[state as usize] = fresh;
        }
    }
}
