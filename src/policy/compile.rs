//! From the policies of a host to tables that the kernel reads.
//!
//! All path patterns become one automaton, all networks another. Their labels are classes of
//! resources with the same consequence; the reference evaluator is asked once for each class and
//! each kind of process, and its answers are the cells.

mod cells;
mod classes;
mod dfa;
mod groups;
mod hash;
mod minimise;
mod mounts;
mod net;
mod nfa;
mod paths;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Zoned;
use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::resource::Protocol;
use crate::model::verdict::Verdict;

use super::condition::{Atom, LikePart, Subject};
use super::evaluate::depends_on_clock;
use super::moment::Moment;
use super::pattern::{LikePiece, Pattern};
use super::principal::Principal;
use super::rule::Effective;
use super::signatures::Signatures;

pub use dfa::STATES_MAX;
pub use table::Table;

/// Most 32-bit words of an image: 256 MiB.
pub const IMAGE_WORDS_MAX: usize = 64 * 1024 * 1024;

/// Kinds of questions about a path; the numbers are those of `enum tyr_path_kind`.
pub const PATH_KINDS: usize = 6;
/// Which executable class a process has.
pub const KIND_BINARY: usize = 3;
/// Which agent an executable is.
pub const KIND_SIGNATURE_EXE: usize = 4;
/// Which agent an interpreter becomes by opening a file.
pub const KIND_SIGNATURE_OPEN: usize = 5;

/// Everything that the tables of a host depend on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Input<'a> {
    pub policies: &'a [Effective],
    pub signatures: &'a Signatures,
    /// What is known of every process of the host: its name and labels.
    pub host: &'a Principal,
    pub superblocks: &'a [Superblock],
    /// Sessions whose facts are known. The executable is not one of them.
    pub slots: &'a [Principal],
    pub moment: Option<Moment>,
    /// Operations that no rule matches leave no event.
    pub unmatched_is_silent: bool,
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superblock {
    /// `super_block.s_dev`, in the kernel's encoding.
    pub dev: u32,
    /// Where it is mounted; never empty.
    pub aliases: Vec<Alias>,
}

/// One place at which a file system, or a subtree of it, can be found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alias {
    /// Root of the mount inside the file system: `/`, or the subtree's path.
    pub root: Vec<u8>,
    pub mount_point: Vec<u8>,
}

impl Alias {
    /// Path of the subtree; empty for the whole file system.
    fn subtree(&self) -> &[u8] {
        self.root.strip_suffix(b"/").unwrap_or(&self.root)
    }

    /// What stands before the slash of a path below the mount point.
    fn place(&self) -> &[u8] {
        self.mount_point
            .strip_suffix(b"/")
            .unwrap_or(&self.mount_point)
    }

    /// The host path of a path inside the file system (empty or `/` for its root). `None` outside
    /// of the mounted subtree.
    pub fn host_path(&self, inside: &[u8]) -> Option<Vec<u8>> {
        let rest = inside.strip_prefix(self.subtree())?;
        match rest {
            b"" | b"/" => Some(self.mount_point.clone()),
            [b'/', ..] => Some([self.place(), rest].concat()),
            _ => None,
        }
    }
}

/// What happens to one class of resources for one kind of process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    pub verdict: Verdict,
    /// The verdict is reported and not enforced.
    pub monitored: bool,
    /// A rule matched.
    pub matched: bool,
    /// No event.
    pub silent: bool,
}

/// A [`Cell`] in one byte: there are hundreds of thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackedCell(u8);

impl PackedCell {
    const VERDICT: u8 = 3;
    const MONITORED: u8 = 4;
    const MATCHED: u8 = 8;
    const SILENT: u8 = 16;
}

impl From<Cell> for PackedCell {
    fn from(cell: Cell) -> PackedCell {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        PackedCell(
            cell.verdict as u8
                | flag(cell.monitored, PackedCell::MONITORED)
                | flag(cell.matched, PackedCell::MATCHED)
                | flag(cell.silent, PackedCell::SILENT),
        )
    }
}

impl From<PackedCell> for Cell {
    fn from(PackedCell(bits): PackedCell) -> Cell {
        let verdict = match bits & PackedCell::VERDICT {
            0 => Verdict::Allow,
            1 => Verdict::Alert,
            _ => Verdict::Deny,
        };
        Cell {
            verdict,
            monitored: bits & PackedCell::MONITORED != 0,
            matched: bits & PackedCell::MATCHED != 0,
            silent: bits & PackedCell::SILENT != 0,
        }
    }
}

/// The tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    pub paths: Table,
    /// For an absolute path of the host.
    pub path_starts: [u32; PATH_KINDS],
    /// For a path inside each file system, by its device.
    pub superblock_starts: BTreeMap<u32, [u32; PATH_KINDS]>,
    pub net: Table,
    pub net_start4: u32,
    pub net_start6: u32,
    /// By action.
    pub class_count: [u32; Action::ALL.len()],
    pub unknown_class: [u32; Action::ALL.len()],
    pub exe_classes: u32,
    pub unknown_exe_class: u32,
    /// Slot of each of `Input::slots`.
    pub slots: Vec<u32>,
    /// Slot of an agent type before anything else is known of a session.
    pub type_slot: BTreeMap<u16, u32>,
    /// Slot of a session whose types are not known.
    pub unknown_slot: u32,
    pub slot_count: u32,
    /// Rows of `row_words` cells, one for each profile (slot * exe_classes + exe class). Not
    /// serialised with the rest, like the targets of a table.
    #[serde(skip)]
    pub cells: Vec<PackedCell>,
    /// Rules that this host will not enforce, and why.
    pub limits: Vec<String>,
    /// States before minimisation.
    pub states_built: usize,
}

/// The object of a question to compiled tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// An absolute path of the host.
    Path(&'a [u8]),
    /// A path inside the file system with this device.
    Inside(u32, &'a [u8]),
    Address {
        ip: IpAddr,
        port: u16,
        protocol: Protocol,
    },
    Unknown,
}

/// The policies cannot be turned into tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum CompileError {
    #[error(
        "patterns need more than {STATES_MAX} states together: make the wildcards of {} more exact",
        quoted(.patterns)
    )]
    TooManyStates { patterns: Vec<String> },
    #[error("mounts at `{place}` need more than {STATES_MAX} states: unmount some of its aliases")]
    TooManyMountStates { place: String },
    #[error(
        "networks, ports and protocols need more than {} steps together: \
         let fewer rules with different ports overlap",
        net::STEPS_MAX
    )]
    TooManyPeers,
    #[error(
        "tables of {words} words do not fit an image of {IMAGE_WORDS_MAX}: \
         use fewer patterns, filters or conditions"
    )]
    TooLarge { words: usize },
}

fn quoted(patterns: &[String]) -> String {
    let quoted: Vec<String> = patterns
        .iter()
        .map(|pattern| format!("`{pattern}`"))
        .collect();
    quoted.join(", ")
}

/// Compiles the policies of a host.
///
/// # Errors
/// The tables would be too large.
pub fn compile(input: &Input<'_>) -> Result<Compiled, CompileError> {
    let paths = paths::compile(input)?;
    let net = net::compile(input.policies)?;
    let words = paths.table.next.len() + paths.table.labels.len() + net.table.next.len();
    if words > IMAGE_WORDS_MAX {
        return Err(CompileError::TooLarge { words });
    }
    let filled = cells::fill(input, &paths, &net)?;
    Ok(Compiled {
        class_count: filled.class_count,
        unknown_class: filled.unknown_class,
        exe_classes: filled.exe_classes,
        unknown_exe_class: classes::UNKNOWN,
        slots: filled.slots,
        type_slot: filled.type_slot,
        unknown_slot: filled.unknown_slot,
        slot_count: filled.slot_count,
        cells: filled.cells,
        limits: limits(input.policies),
        states_built: paths.states_built,
        path_starts: paths.starts,
        superblock_starts: paths.superblock_starts,
        paths: paths.table,
        net: net.table,
        net_start4: net.start4,
        net_start6: net.start6,
    })
}

/// When an answer may change next without a new policy; `None`: no rule reads the clock.
pub fn next_boundary(policies: &[Effective], now: &Zoned) -> Option<Zoned> {
    let mut rules = policies
        .iter()
        .flat_map(|effective| &effective.policy.rules);
    if rules.any(depends_on_clock) {
        Moment::next_boundary(now)
    } else {
        None
    }
}

fn limits(policies: &[Effective]) -> Vec<String> {
    let mut limits = Vec::new();
    for effective in policies {
        for rule in &effective.policy.rules {
            if rule.action == Action::TlsConnect {
                limits.push(format!(
                    "policy `{}`: rule `{}` is not enforced: tls_connect needs --tls-capture",
                    effective.policy.name, rule.name
                ));
            }
        }
    }
    limits
}

impl Compiled {
    /// Whether no question leads out of the tables, as it is with all that `compile` makes.
    pub fn is_whole(&self) -> bool {
        let starts = self.superblock_starts.values().chain([&self.path_starts]);
        let profiles = self.slot_count as usize * self.exe_classes as usize;
        let slots = self.slots.iter().chain(self.type_slot.values());
        self.paths.is_whole()
            && self.net.is_whole()
            && starts.flatten().all(|&start| self.paths.has(start))
            && self.net.has(self.net_start4)
            && self.net.has(self.net_start6)
            && slots
                .chain([&self.unknown_slot])
                .all(|slot| *slot < self.slot_count)
            && self.cells.len() == profiles * self.row_words()
    }

    /// Cells of one profile.
    pub fn row_words(&self) -> usize {
        self.class_count.iter().map(|&count| count as usize).sum()
    }

    /// Place of an action's cells in a row.
    pub fn action_base(&self, action: Action) -> u32 {
        self.class_count[..action as usize].iter().sum()
    }

    /// What the kernel answers: the class of the executable, the class of the object, the cell.
    /// `exe`: `Target::Unknown` when it is not known.
    pub fn decide(&self, slot: u32, exe: Target<'_>, action: Action, object: Target<'_>) -> Cell {
        let exe_class = self
            .label(KIND_BINARY, exe)
            .unwrap_or(self.unknown_exe_class);
        let class = match object {
            Target::Address { ip, port, protocol } => self.net_class(ip, port, protocol),
            _ if action.takes_path() => self
                .label(action as usize, object)
                .unwrap_or(self.unknown_class[action as usize]),
            _ => self.unknown_class[action as usize],
        };
        let profile = (slot * self.exe_classes + exe_class) as usize;
        let place = profile * self.row_words() + (self.action_base(action) + class) as usize;
        self.cells[place].into()
    }

    /// The label of a path for one kind of question; `None` when it cannot be settled.
    pub fn label(&self, kind: usize, path: Target<'_>) -> Option<u32> {
        match path {
            Target::Path(path) => Some(self.paths.label(self.path_starts[kind], path)),
            Target::Inside(dev, path) => Some(
                self.paths
                    .label(self.superblock_starts.get(&dev)?[kind], path),
            ),
            Target::Address { .. } | Target::Unknown => None,
        }
    }

    fn net_class(&self, ip: IpAddr, port: u16, protocol: Protocol) -> u32 {
        let (start, mut key) = match ip.to_canonical() {
            IpAddr::V4(ip) => (self.net_start4, ip.octets().to_vec()),
            IpAddr::V6(ip) => (self.net_start6, ip.octets().to_vec()),
        };
        key.extend(port.to_be_bytes());
        key.push(u8::try_from(protocol.number()).unwrap_or(u8::MAX));
        self.net.label(start, &key)
    }
}

/// Every distinct list of `binaries`, and every comparison of `principal.exe`.
fn binaries_of(policies: &[Effective]) -> (Vec<Vec<Pattern>>, Vec<Atom>) {
    let mut lists: Vec<Vec<Pattern>> = Vec::new();
    let mut atoms: Vec<Atom> = Vec::new();
    for rule in policies
        .iter()
        .flat_map(|effective| &effective.policy.rules)
    {
        let mut list = rule.binaries.clone();
        list.sort_unstable();
        if !list.is_empty() && !lists.contains(&list) {
            lists.push(list);
        }
        let found = rule
            .condition
            .as_ref()
            .map(|condition| condition.resource_atoms());
        for atom in found.unwrap_or_default() {
            if groups::atom_subject(atom) == Subject::Exe && !atoms.contains(atom) {
                atoms.push(atom.clone());
            }
        }
    }
    (lists, atoms)
}

/// The pattern that matches the paths for which a comparison holds.
fn atom_pattern(atom: &Atom, wanted: Subject) -> Option<Pattern> {
    match atom {
        Atom::Literal { subject, bytes } if *subject == wanted => {
            // A literal without a slash in front equals no path.
            bytes
                .starts_with(b"/")
                .then(|| Pattern::from_literal(bytes))
        }
        Atom::Like { subject, parts } if *subject == wanted => {
            let pieces: Vec<LikePiece<'_>> = parts
                .iter()
                .map(|part| match part {
                    LikePart::Any => LikePiece::Wildcard,
                    LikePart::Text(text) => LikePiece::Literal(text),
                })
                .collect();
            Some(Pattern::from_cedar_like(&pieces))
        }
        _ => None,
    }
}
