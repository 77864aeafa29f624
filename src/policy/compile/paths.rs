//! The path automaton of a host: every kind of question, every file system.

use std::collections::BTreeMap;

use crate::model::action::Action;

use super::classes::{
    Class, Classes, ExeLabels, FileLabels, Labels, NOTHING, SignatureLabels, UNKNOWN,
};
use super::dfa::{self, Dfa};
use super::groups::{Groups, Mark, Marks};
use super::minimise::Graph;
use super::mounts::Mounts;
use super::nfa::{Nfa, Node};
use super::table::Table;
use super::{Alias, CompileError, Input, PATH_KINDS};

/// The actions whose resource is a path, in the order of their kinds.
const FILE_ACTIONS: [Action; 3] = [Action::FileRead, Action::FileWrite, Action::Exec];

/// The automaton, and what its labels stand for.
pub(super) struct Paths {
    pub(super) table: Table,
    pub(super) starts: [u32; PATH_KINDS],
    pub(super) superblock_starts: BTreeMap<u32, [u32; PATH_KINDS]>,
    /// Groups and classes of `file_read`, `file_write` and `exec`.
    pub(super) files: Vec<(Groups, Vec<Class>)>,
    pub(super) exes: Vec<Class>,
    pub(super) states_built: usize,
}

pub(super) fn compile(input: &Input<'_>) -> Result<Paths, CompileError> {
    let mut files: Vec<FileLabels<'_>> = FILE_ACTIONS
        .iter()
        .map(|&action| FileLabels::new(input.policies, Groups::new(input.policies, action)))
        .collect();
    let mut exes = ExeLabels::new(input.policies);
    let mut signatures = [false, true].map(|opened| SignatureLabels::new(input.signatures, opened));
    let mut kinds: Vec<&mut dyn Labels> = Vec::new();
    kinds.extend(files.iter_mut().map(|labels| labels as &mut dyn Labels));
    kinds.push(&mut exes);
    kinds.extend(
        signatures
            .iter_mut()
            .map(|labels| labels as &mut dyn Labels),
    );

    let mut nfa = Nfa::default();
    let nodes: Vec<Node> = kinds.iter().map(|_| nfa.root()).collect();
    kinds
        .iter()
        .zip(&nodes)
        .for_each(|(labels, &node)| labels.add_to(&mut nfa, node));
    nfa.share_tails();
    let roots: Vec<(Node, &dyn Marks)> = nodes
        .iter()
        .zip(&kinds)
        .map(|(&node, labels)| (node, labels.as_marks()))
        .collect();
    let dfa = dfa::build(&nfa, &roots, &mount_bytes(input))?;
    drop(roots);
    let (mut graph, mut starts) = (label_states(&dfa, &mut kinds), dfa.starts.clone());
    let mut mounts = Mounts::default();
    let file_systems: Vec<Vec<Alias>> = input
        .superblocks
        .iter()
        .map(|superblock| superblock.aliases.clone())
        .collect();
    for (root, labels) in kinds.iter_mut().enumerate() {
        let first = mounts.states.len();
        starts.extend(mounts.add(&dfa, root, &file_systems, labels.lost() == NOTHING)?);
        label_mounts(&dfa, &mounts, first, *labels, &mut graph);
    }
    drop(kinds);
    set_dead_witnesses(&dfa, &mut files, &mut exes);
    let states_built = graph.labels.len();
    let table = Table::build(graph, &dfa.class_of, &mut starts);
    let (host, mounted) = starts.split_at(PATH_KINDS);
    Ok(Paths {
        table,
        starts: std::array::from_fn(|kind| host[kind]),
        superblock_starts: (0..)
            .zip(input.superblocks)
            .map(|(index, superblock)| {
                let count = input.superblocks.len();
                (
                    superblock.dev,
                    std::array::from_fn(|kind| mounted[kind * count + index]),
                )
            })
            .collect(),
        files: files
            .into_iter()
            .map(|labels| (labels.groups, labels.classes.classes))
            .collect(),
        exes: exes.classes.classes,
        states_built,
    })
}

/// Bytes in the names of mounted subtrees: they are compared one by one.
fn mount_bytes(input: &Input<'_>) -> Vec<u8> {
    let aliases = input
        .superblocks
        .iter()
        .flat_map(|superblock| &superblock.aliases);
    aliases
        .flat_map(|alias| alias.subtree().iter().copied())
        .collect()
}

fn label_states(dfa: &Dfa, kinds: &mut [&mut dyn Labels]) -> Graph {
    let mut graph = Graph::new(dfa.classes);
    graph.push(NOTHING, 0, &[]);
    for (root, labels) in kinds.iter_mut().enumerate() {
        for state in dfa.states_of(root) {
            let witness = || {
                let path = dfa.witness(state);
                if path.is_empty() {
                    Vec::new()
                } else {
                    vec![path]
                }
            };
            let label = labels.label(&[dfa.accept(state)], &witness);
            graph.push(
                label,
                dfa.states[state as usize].default,
                dfa.entries(state),
            );
        }
    }
    graph
}

fn label_mounts(
    dfa: &Dfa,
    mounts: &Mounts,
    first: usize,
    labels: &mut dyn Labels,
    graph: &mut Graph,
) {
    for (index, state) in mounts.states.iter().enumerate().skip(first) {
        let label = if state.accepts.is_empty() {
            labels.lost()
        } else {
            let accepts: Vec<&[Mark]> = state.accepts.iter().map(Vec::as_slice).collect();
            labels.label(&accepts, &|| mounts.witness(dfa, index))
        };
        let default = state.next.last().copied().unwrap_or(0);
        let entries: Vec<(u8, u32)> = (0u8..=u8::MAX)
            .zip(state.next.iter().copied())
            .filter(|&(_, target)| target != default)
            .collect();
        graph.push(label, default, &entries);
    }
}

/// A path that nothing matches may end in no state but the dead one.
fn set_dead_witnesses(dfa: &Dfa, files: &mut [FileLabels<'_>], exes: &mut ExeLabels<'_>) {
    let classes = files.iter_mut().map(|labels| &mut labels.classes);
    let all = classes.chain([&mut exes.classes]);
    for (root, Classes { classes, .. }) in all.enumerate() {
        let nothing = &mut classes[NOTHING as usize];
        if nothing.witness.is_empty() {
            nothing.witness = dfa.dead_witness(root).into_iter().collect();
        }
    }
    debug_assert_ne!(NOTHING, UNKNOWN);
}
