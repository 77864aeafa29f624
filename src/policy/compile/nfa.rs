//! Patterns as a trie of tokens: patterns with a common beginning share its nodes.
//!
//! Every node is a state of a non-deterministic automaton. Wildcards of any length are nodes with
//! loops, entered without reading a byte.

use std::collections::{BTreeSet, HashMap};

use crate::policy::pattern::{ByteSet, Component, Pattern, Token};

use super::groups::Mark;

/// Index of a node.
pub(super) type Node = u32;

/// What a node's bytes lead to besides its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Loop {
    None,
    /// `*`: every byte but a slash stays here.
    Name,
    /// `**/`: a slash stays here, every other byte enters the component that `Skipped` is inside.
    Depth,
    /// Inside a component that `**/` skips: a slash leads back to the node named.
    Skipped(Node),
    /// A final `**`: every byte stays here.
    Rest,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) looping: Loop,
    /// Nodes entered together with this one.
    pub(super) free: Vec<Node>,
    pub(super) bytes: Vec<(u8, Node)>,
    pub(super) sets: Vec<(ByteSet, Node)>,
    pub(super) any: Option<Node>,
    /// What matches when the path ends here.
    pub(super) marks: Vec<Mark>,
    /// Pattern that made the node, for messages.
    pub(super) pattern: u32,
    /// The start state it is below; marks of different ones are not comparable.
    root: Node,
}

/// An element of a pattern as the trie is keyed by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    Byte(u8),
    Any,
    Set(ByteSet),
    Run,
    Depth,
    Rest,
}

/// Everything by which two nodes can differ.
#[derive(PartialEq, Eq, Hash)]
struct Tail {
    root: Node,
    looping: Loop,
    free: Vec<Node>,
    bytes: Vec<(u8, Node)>,
    sets: Vec<(ByteSet, Node)>,
    any: Option<Node>,
    marks: Vec<Mark>,
}

/// The trie of all patterns, with one root for each start state.
#[derive(Debug, Default)]
pub(super) struct Nfa {
    pub(super) states: Vec<State>,
    pub(super) patterns: Vec<String>,
    children: HashMap<(Node, Item), Node>,
    /// The one node in which everything matches `mark`, for each root.
    rests: HashMap<(Node, Mark), Node>,
}

impl Nfa {
    /// A new start state.
    pub(super) fn root(&mut self) -> Node {
        let node = Node::try_from(self.states.len()).unwrap_or(Node::MAX);
        self.state(Loop::None, 0, node)
    }

    /// Makes `mark` match what `pattern` matches, from `root` on.
    pub(super) fn add(&mut self, root: Node, pattern: &Pattern, mark: Mark) {
        let name = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        self.patterns.push(pattern.as_str().to_owned());
        let mut items = items(pattern);
        let ends_in_rest = items.last() == Some(&Item::Rest);
        if ends_in_rest {
            items.pop();
        }
        let mut node = root;
        for item in items {
            node = self.child(node, item, name);
        }
        if ends_in_rest {
            let rest = self.rest(root, mark, name);
            let free = &mut self.states[node as usize].free;
            if !free.contains(&rest) {
                free.push(rest);
            }
            return;
        }
        let marks = &mut self.states[node as usize].marks;
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }

    /// Patterns that end in `**` share their last node, so that having matched one for good is the
    /// same state as having matched another.
    fn rest(&mut self, root: Node, mark: Mark, pattern: u32) -> Node {
        if let Some(&known) = self.rests.get(&(root, mark)) {
            return known;
        }
        let node = self.state(Loop::Rest, pattern, root);
        self.states[node as usize].marks.push(mark);
        self.rests.insert((root, mark), node);
        node
    }

    /// Whether the node matches for good, and leads nowhere else.
    pub(super) fn is_settled(&self, node: Node) -> bool {
        let state = &self.states[node as usize];
        state.looping == Loop::Rest && !state.marks.is_empty()
    }

    fn state(&mut self, looping: Loop, pattern: u32, root: Node) -> Node {
        let node = Node::try_from(self.states.len()).unwrap_or(Node::MAX);
        self.states.push(State {
            looping,
            free: Vec::new(),
            bytes: Vec::new(),
            sets: Vec::new(),
            any: None,
            marks: Vec::new(),
            pattern,
            root,
        });
        node
    }

    fn child(&mut self, node: Node, item: Item, pattern: u32) -> Node {
        if let Some(&known) = self.children.get(&(node, item.clone())) {
            return known;
        }
        let looping = match item {
            Item::Run => Loop::Name,
            Item::Depth => Loop::Depth,
            Item::Rest => Loop::Rest,
            Item::Byte(_) | Item::Any | Item::Set(_) => Loop::None,
        };
        let root = self.states[node as usize].root;
        let next = self.state(looping, pattern, root);
        let from = &mut self.states[node as usize];
        match &item {
            Item::Byte(byte) => from.bytes.push((*byte, next)),
            Item::Any => from.any = Some(next),
            Item::Set(set) => from.sets.push((*set, next)),
            Item::Run | Item::Depth | Item::Rest => from.free.push(next),
        }
        if item == Item::Depth {
            let skipped = self.state(Loop::Skipped(next), pattern, root);
            // Found again by `skipped_of`: it is the node after its owner.
            debug_assert_eq!(skipped, next + 1);
        }
        self.children.insert((node, item), next);
        next
    }

    /// Makes nodes that match the same one, so that `/a/*.conf` and `/b/*.conf` are in one state
    /// behind their folders. No pattern may be added afterwards.
    pub(super) fn share_tails(&mut self) {
        let mut known: HashMap<Tail, Node> = HashMap::new();
        let mut kept: Vec<Node> = (0..).take(self.states.len()).collect();
        for node in (0..self.states.len()).rev() {
            let state = &mut self.states[node];
            state
                .free
                .iter_mut()
                .for_each(|next| *next = kept[*next as usize]);
            state
                .bytes
                .iter_mut()
                .for_each(|(_, next)| *next = kept[*next as usize]);
            state
                .sets
                .iter_mut()
                .for_each(|(_, next)| *next = kept[*next as usize]);
            state.any = state.any.map(|next| kept[next as usize]);
            if matches!(state.looping, Loop::Skipped(_)) {
                continue;
            }
            let (mut free, mut bytes) = (state.free.clone(), state.bytes.clone());
            let (mut sets, mut marks) = (state.sets.clone(), state.marks.clone());
            free.sort_unstable();
            bytes.sort_unstable();
            sets.sort_unstable();
            marks.sort_unstable();
            let looping = state.looping;
            let tail = Tail {
                root: state.root,
                looping,
                free,
                bytes,
                sets,
                any: state.any,
                marks,
            };
            let number = kept[node];
            kept[node] = *known.entry(tail).or_insert(number);
            if looping == Loop::Depth {
                kept[node + 1] = Nfa::skipped_of(kept[node]);
            }
        }
    }

    /// The node inside a component that the `**/` of `node` skips.
    pub(super) fn skipped_of(node: Node) -> Node {
        node + 1
    }

    /// For each node the marks that can still be reached from it, its own among them.
    pub(super) fn reachable(&self) -> Vec<Reach> {
        let mut ids: HashMap<Reach, Reach> = HashMap::new();
        let mut reach: Vec<Reach> = vec![Reach::default(); self.states.len()];
        let mut intern = |marks: BTreeSet<Mark>| {
            let marks: Reach = marks.into_iter().collect();
            ids.entry(marks.clone()).or_insert(marks).clone()
        };
        // Shared last nodes have no successors. Of the others a successor has the larger number.
        let settled = |node: &usize| self.is_settled(Node::try_from(*node).unwrap_or(Node::MAX));
        for node in (0..self.states.len()).filter(settled) {
            reach[node] = intern(self.states[node].marks.iter().copied().collect());
        }
        for node in (0..self.states.len()).rev().filter(|node| !settled(node)) {
            let state = &self.states[node];
            if matches!(state.looping, Loop::Skipped(_)) {
                continue;
            }
            let mut marks: BTreeSet<Mark> = state.marks.iter().copied().collect();
            let next = state
                .free
                .iter()
                .chain(state.bytes.iter().map(|(_, next)| next));
            for &next in next
                .chain(state.sets.iter().map(|(_, next)| next))
                .chain(&state.any)
            {
                marks.extend(reach[next as usize].iter());
            }
            reach[node] = intern(marks);
            if state.looping == Loop::Depth {
                reach[node + 1] = reach[node].clone();
            }
        }
        reach
    }
}

/// Sorted marks.
pub(super) type Reach = std::sync::Arc<[Mark]>;

fn items(pattern: &Pattern) -> Vec<Item> {
    if let [Component::Whole(tokens)] = pattern.components() {
        return tokens.iter().map(|token| item(token, Item::Rest)).collect();
    }
    let mut items = vec![Item::Byte(b'/')];
    let last = pattern.components().len() - 1;
    for (index, component) in pattern.components().iter().enumerate() {
        match component {
            Component::AnyDepth if index == last => items.push(Item::Rest),
            Component::AnyDepth => items.push(Item::Depth),
            Component::Segment(tokens) | Component::Whole(tokens) => {
                let name_only = tokens[..] == [Token::AnyRun];
                if index == last && name_only && items.last() == Some(&Item::Depth) {
                    // `**/*` is every path below, as `**` is.
                    items.pop();
                    items.push(Item::Rest);
                    continue;
                }
                items.extend(tokens.iter().map(|token| item(token, Item::Run)));
                if index != last {
                    items.push(Item::Byte(b'/'));
                }
            }
        }
    }
    items
}

fn item(token: &Token, run: Item) -> Item {
    match token {
        Token::Byte(byte) => Item::Byte(*byte),
        Token::AnyByte => Item::Any,
        Token::AnyRun => run,
        Token::Set(set) => Item::Set(**set),
    }
}
