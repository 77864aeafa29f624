//! Start states for file systems: how a path inside one goes on as paths of the host.
//!
//! A file system has an *alias* for each place where it, or a subtree of it, is mounted. An object
//! is what all of its host paths are: the states here are sets of positions, one for each alias
//! under which the object may still lie.

use std::collections::HashMap;

use super::dfa::{DEAD, Dfa, STATES_MAX};
use super::groups::Mark;
use super::{Alias, CompileError};

/// Where one alias is after some bytes of a path inside the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Position {
    /// Inside or at the end of the name of the mounted subtree.
    Above { alias: u32, read: u32 },
    /// After the slash behind the mounted subtree; a path that ends with it is the mount point's.
    Below { alias: u32 },
    /// Inside the automaton.
    At(u32),
}

/// A state made for mounts: indexes continue those of the automaton.
#[derive(Clone, Debug)]
pub(super) struct MountState {
    /// What matches each of the host paths of an object whose path ends here. Empty: the object
    /// has no path on the host.
    pub(super) accepts: Vec<Vec<Mark>>,
    /// Target of each class.
    pub(super) next: Vec<u32>,
    from: u32,
    by: u8,
    /// Aliases of the file system it was first made for.
    aliases: Vec<u32>,
}

/// All states made for mounts.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    pub(super) states: Vec<MountState>,
    aliases: Vec<Alias>,
}

struct Build<'a> {
    dfa: &'a Dfa,
    mounts: &'a mut Mounts,
    base: u32,
    root: usize,
    ids: HashMap<Vec<Position>, u32>,
    sets: Vec<Vec<Position>>,
}

impl Mounts {
    /// Adds start states for one root and gives that of each file system, in order.
    /// `lost_is_dead`: an object without a path on the host is like one that nothing matches.
    ///
    /// # Errors
    /// Too many states.
    pub(super) fn add(
        &mut self,
        dfa: &Dfa,
        root: usize,
        file_systems: &[Vec<Alias>],
        lost_is_dead: bool,
    ) -> Result<Vec<u32>, CompileError> {
        let first = self.states.len();
        let base = u32::try_from(dfa.states.len()).unwrap_or(u32::MAX);
        let mut build = Build {
            dfa,
            mounts: self,
            base,
            root,
            ids: HashMap::new(),
            sets: Vec::new(),
        };
        if lost_is_dead {
            build.ids.insert(Vec::new(), DEAD);
        }
        let mut starts = Vec::new();
        for aliases in file_systems {
            let numbers: Vec<u32> = aliases
                .iter()
                .map(|alias| build.mounts.alias_number(alias))
                .collect();
            let set = numbers
                .iter()
                .map(|&alias| Position::Above { alias, read: 0 })
                .collect();
            let known = first + build.sets.len();
            starts.push(build.intern(set, 0, 0, &numbers)?);
            let mut next = known;
            while next < first + build.sets.len() {
                build.expand(next, next - first)?;
                next += 1;
            }
        }
        Ok(starts)
    }

    fn alias_number(&mut self, alias: &Alias) -> u32 {
        let known = self.aliases.iter().position(|known| known == alias);
        let number = known.unwrap_or_else(|| {
            self.aliases.push(alias.clone());
            self.aliases.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The host paths of a shortest path that ends in the state with this index here.
    pub(super) fn witness(&self, dfa: &Dfa, index: usize) -> Vec<Vec<u8>> {
        let mut inside = Vec::new();
        let mut at = index;
        while self.states[at].from != 0 {
            let state = &self.states[at];
            inside.push(dfa.byte_of[usize::from(state.by)]);
            at = state.from as usize - dfa.states.len();
        }
        inside.reverse();
        let aliases = self.states[index].aliases.iter();
        aliases
            .filter_map(|&alias| self.aliases[alias as usize].host_path(&inside))
            .collect()
    }
}

impl Build<'_> {
    fn expand(&mut self, index: usize, set: usize) -> Result<(), CompileError> {
        let set = self.sets[set].clone();
        let from = self.base + u32::try_from(index).unwrap_or(u32::MAX);
        let aliases = self.mounts.states[index].aliases.clone();
        let mut next = Vec::with_capacity(self.dfa.classes);
        for class in 0..self.dfa.classes {
            let class = u8::try_from(class).unwrap_or(u8::MAX);
            let after = set
                .iter()
                .filter_map(|&position| self.step(position, class))
                .collect();
            next.push(self.intern(after, from, class, &aliases)?);
        }
        self.mounts.states[index].next = next;
        Ok(())
    }

    fn step(&self, position: Position, class: u8) -> Option<Position> {
        let slash = class == self.dfa.class_of[usize::from(b'/')];
        match position {
            Position::At(state) => Some(Position::At(self.dfa.step(state, class))),
            Position::Below { alias } => {
                let state = self.entered(alias);
                Some(Position::At(self.dfa.step(state, class)))
            }
            Position::Above { alias, read } => {
                let root = self.mounts.aliases[alias as usize].subtree();
                match root.get(read as usize) {
                    Some(&byte) => {
                        (self.dfa.class_of[usize::from(byte)] == class).then_some(Position::Above {
                            alias,
                            read: read + 1,
                        })
                    }
                    None if !slash => None,
                    None => Some(Position::Below { alias }),
                }
            }
        }
    }

    /// The state after the mount point and a slash.
    fn entered(&self, alias: u32) -> u32 {
        let mount_point = self.mounts.aliases[alias as usize].place();
        let state = self.dfa.walk(self.dfa.starts[self.root], mount_point);
        self.dfa.step(state, self.dfa.class_of[usize::from(b'/')])
    }

    /// What matches the host path of `position`, if the object has one there.
    fn accept(&self, position: Position) -> Option<Vec<Mark>> {
        let state = match position {
            Position::At(state) => state,
            Position::Above { alias, read } => {
                let alias = &self.mounts.aliases[alias as usize];
                if (read as usize) < alias.subtree().len() {
                    return None;
                }
                self.dfa
                    .walk(self.dfa.starts[self.root], &alias.mount_point)
            }
            Position::Below { alias } => {
                let alias = &self.mounts.aliases[alias as usize];
                self.dfa
                    .walk(self.dfa.starts[self.root], &alias.mount_point)
            }
        };
        Some(self.dfa.accept(state).to_vec())
    }

    fn intern(
        &mut self,
        mut set: Vec<Position>,
        from: u32,
        by: u8,
        aliases: &[u32],
    ) -> Result<u32, CompileError> {
        set.sort_unstable();
        set.dedup();
        // A path that nothing will match adds nothing to one that something may match.
        if set
            .iter()
            .any(|position| matches!(position, Position::At(state) if *state != DEAD))
        {
            set.retain(|&position| position != Position::At(DEAD));
        }
        if let [Position::At(state)] = set[..] {
            return Ok(state);
        }
        if let Some(&known) = self.ids.get(&set) {
            return Ok(known);
        }
        if self.dfa.states.len() + self.mounts.states.len() >= STATES_MAX {
            let alias = aliases
                .first()
                .map(|&alias| &self.mounts.aliases[alias as usize]);
            let place = alias.map(|alias| String::from_utf8_lossy(&alias.mount_point).into_owned());
            return Err(CompileError::TooManyMountStates {
                place: place.unwrap_or_default(),
            });
        }
        let mut accepts: Vec<Vec<Mark>> = set
            .iter()
            .filter_map(|&position| self.accept(position))
            .collect();
        accepts.sort_unstable();
        accepts.dedup();
        let id = self.base + u32::try_from(self.mounts.states.len()).unwrap_or(u32::MAX);
        self.mounts.states.push(MountState {
            accepts,
            next: Vec::new(),
            from,
            by,
            aliases: aliases.to_vec(),
        });
        self.ids.insert(set.clone(), id);
        self.sets.push(set);
        Ok(id)
    }
}
