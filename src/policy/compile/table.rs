//! An automaton as the kernel holds it: dense rows over as few byte classes as tell bytes apart.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::minimise::{self, Graph};

/// A deterministic automaton. State numbers are rows; every row has a label and one target for
/// each column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Column of each byte.
    #[serde(with = "bytes")]
    pub column_of: [u8; 256],
    pub columns: usize,
    pub labels: Vec<u32>,
    /// `labels.len() * columns` targets. Not serialised with the rest: whoever sends a table sends
    /// them by themselves, because they are many.
    #[serde(skip)]
    pub next: Vec<u32>,
}

/// An array that is too long for serde.
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 256],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 256], D::Error> {
        let bytes = Vec::deserialize(deserializer)?;
        <[u8; 256]>::try_from(bytes).map_err(|_| de::Error::custom("not one column for each byte"))
    }
}

impl Table {
    /// Whether no byte leaves the state.
    pub fn is_absorbing(&self, state: u32) -> bool {
        self.row(state).iter().all(|&target| target == state)
    }

    /// Whether every byte leads from every state to a state.
    pub(super) fn is_whole(&self) -> bool {
        self.next.len() == self.labels.len() * self.columns
            && self
                .column_of
                .iter()
                .all(|&column| usize::from(column) < self.columns)
            && self.next.iter().all(|&target| self.has(target))
    }

    pub(super) fn has(&self, state: u32) -> bool {
        (state as usize) < self.labels.len()
    }

    /// Targets of a state by column.
    pub fn row(&self, state: u32) -> &[u32] {
        let first = state as usize * self.columns;
        &self.next[first..first + self.columns]
    }

    /// The state after `bytes`.
    pub fn walk(&self, start: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(start, |state, &byte| {
            self.row(state)[usize::from(self.column_of[usize::from(byte)])]
        })
    }

    /// The label after `bytes`.
    pub fn label(&self, start: u32, bytes: &[u8]) -> u32 {
        self.labels[self.walk(start, bytes) as usize]
    }

    /// Minimises `graph` and keeps what `starts` lead to; they are renumbered in place. States that
    /// follow one another lie together, so that a walk stays in few cache lines.
    pub(super) fn build(mut graph: Graph, class_of: &[u8; 256], starts: &mut [u32]) -> Table {
        let block_of = minimise::blocks(&mut graph);
        let blocks = block_of.iter().max().map_or(0, |&block| block as usize + 1);
        let mut member = vec![usize::MAX; blocks];
        for (state, &block) in block_of.iter().enumerate().rev() {
            member[block as usize] = state;
        }
        let order = preorder(&graph, &block_of, &member, starts);
        let rows = Rows {
            graph: &graph,
            block_of: &block_of,
            order: &order,
        };
        let columns = rows.columns();
        let classes: Vec<u8> = distinct(&columns);
        let next = order
            .blocks
            .iter()
            .flat_map(|block| {
                let state = member[*block as usize];
                classes.iter().map(move |&class| (state, class))
            })
            .map(|(state, class)| rows.target(state, class))
            .collect();
        let mut column_of = [0; 256];
        for (byte, &class) in class_of.iter().enumerate() {
            column_of[byte] = columns[usize::from(class)];
        }
        for start in starts {
            *start = order.number[block_of[*start as usize] as usize];
        }
        Table {
            column_of,
            columns: classes.len(),
            labels: order
                .blocks
                .iter()
                .map(|block| graph.labels[member[*block as usize]])
                .collect(),
            next,
        }
    }
}

/// Blocks in the order of their rows.
struct Order {
    blocks: Vec<u32>,
    /// Row of each block; `NO_ROW` for one that no start leads to.
    number: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

fn preorder(graph: &Graph, block_of: &[u32], member: &[usize], starts: &[u32]) -> Order {
    let mut order = Order {
        blocks: Vec::new(),
        number: vec![NO_ROW; member.len()],
    };
    let mut stack: Vec<u32> = starts.iter().rev().map(|&s| block_of[s as usize]).collect();
    while let Some(block) = stack.pop() {
        if order.number[block as usize] != NO_ROW {
            continue;
        }
        let number = u32::try_from(order.blocks.len()).unwrap_or(u32::MAX);
        order.number[block as usize] = number;
        order.blocks.push(block);
        let state = member[block as usize];
        stack.push(block_of[graph.defaults[state] as usize]);
        let entries = graph.entries(state).iter().rev();
        stack.extend(entries.map(|&(_, target)| block_of[target as usize]));
    }
    order
}

struct Rows<'a> {
    graph: &'a Graph,
    block_of: &'a [u32],
    order: &'a Order,
}

impl Rows<'_> {
    fn target(&self, state: usize, class: u8) -> u32 {
        self.order.number[self.block_of[self.graph.step(state, class) as usize] as usize]
    }

    /// Column of each class: classes that every state treats alike share one.
    fn columns(&self) -> Vec<u8> {
        // Refined state by state: (column so far, target) names the new column.
        let mut column = vec![0u8; self.graph.classes];
        let mut count = 1;
        let mut seen = vec![false; self.order.number.len()];
        for state in 0..self.graph.labels.len() {
            let block = self.block_of[state] as usize;
            if self.order.number[block] == NO_ROW || std::mem::replace(&mut seen[block], true) {
                continue;
            }
            if count == self.graph.classes {
                break;
            }
            let mut names: HashMap<(u8, u32), u8> = HashMap::new();
            let mut fresh = Vec::with_capacity(column.len());
            for (class, &old) in (0u8..=u8::MAX).zip(&column) {
                let next = u8::try_from(names.len()).unwrap_or(u8::MAX);
                let target = self.block_of[self.graph.step(state, class) as usize];
                fresh.push(*names.entry((old, target)).or_insert(next));
            }
            count = names.len();
            column = fresh;
        }
        column
    }
}

/// The first class of each column, in the order of columns.
fn distinct(columns: &[u8]) -> Vec<u8> {
    let mut classes = Vec::new();
    for (class, &column) in (0u8..=u8::MAX).zip(columns) {
        if usize::from(column) == classes.len() {
            classes.push(class);
        }
    }
    classes
}
