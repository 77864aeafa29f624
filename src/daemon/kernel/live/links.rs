//! Files that deny rules name and that have other names as well.
//!
//! A path says nothing of the other hard links of its object. Before an image is in force the
//! patterns of deny rules are looked for on the file system, and what they lead to is kept by
//! inode. Patterns without a literal beginning would lead everywhere and are left out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::features::has_linkable_files;
use crate::kernel::links::{LINKS_MAX, LinkName};
use crate::kernel::mounts::{Mounts, Tables};
use crate::kernel::record::Object;
use crate::model::resource::Resource;
use crate::model::verdict::Verdict;
use crate::policy::compile::Compiled;
use crate::policy::pattern::{Component, Pattern};
use crate::policy::rule::{Effective, Match};

/// Most names that one search looks at.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// Most time of a processor that one search takes. What others do to the host, an agent that keeps
/// it busy among them, does not make a search see less.
const WORK_MAX: Duration = Duration::from_secs(30);
/// How long one search may keep a policy from being in force, whatever it waits for.
const TIME_MAX: Duration = Duration::from_secs(60);

use super::{KernelError, Live, said};

const CUT_LIMIT: &str = "the search for hard links of files that deny rules name ended at its bound: a link made \
     before the policy, to a file below a large directory, may not be recognised; name smaller \
     directories in deny rules";

/// What the last search was for. The kernel keeps what it found.
#[derive(Debug, Default)]
pub(super) struct Searched {
    patterns: Vec<Pattern>,
    mounts: Mounts,
    is_cut: bool,
}

impl Live {
    /// The names of files with several that the next image has to know: those that the kernel
    /// keeps, and, where rules or mounts are new, those that are found.
    pub(super) fn link_names(
        &self,
        policies: &[Effective],
        tables: &Tables,
        limits: &mut Vec<String>,
    ) -> Result<BTreeSet<LinkName>, KernelError> {
        let kept = self.programs.links(0).map_err(said)?;
        let mut names: BTreeSet<LinkName> = kept
            .into_iter()
            .filter(|name| is_still(name, tables.host()))
            .collect();
        let patterns = patterns(policies);
        let mut searched = self
            .searched
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if searched.patterns != patterns || searched.mounts != *tables.host() {
            let found = search(&patterns, tables.host());
            names.extend(found.names);
            *searched = Searched {
                patterns,
                mounts: tables.host().clone(),
                is_cut: found.is_cut,
            };
        }
        if searched.is_cut {
            limits.push(CUT_LIMIT.to_owned());
        }
        Ok(names)
    }

    /// What hooks kept for the generation before while this one was made ready; then that one is
    /// forgotten. Gives how many names there was no room for.
    pub(super) fn keep_late_links(
        &self,
        generation: u32,
        compiled: &Compiled,
        known: &BTreeSet<LinkName>,
    ) -> Result<usize, KernelError> {
        let mut late: BTreeSet<LinkName> = self
            .programs
            .links(generation)
            .map_err(said)?
            .into_iter()
            .collect();
        late.retain(|name| !known.contains(name));
        let host = self.read_mounts()?;
        late.retain(|name| is_still(name, host.host()));
        let lost = self
            .programs
            .keep_links(generation, compiled, &late)
            .map_err(said)?;
        self.programs.forget_links(generation).map_err(said)?;
        Ok(lost)
    }

    /// The other names that the kernel knows of the object.
    pub(super) fn add_links(&self, resource: &mut Resource, object: &Object, generation: u32) {
        let (Resource::Paths(paths), Object::File(place)) = (resource, object) else {
            return;
        };
        let kept = self
            .programs
            .link_paths(generation, place.dev, place.ino)
            .unwrap_or_default();
        for inside in kept {
            for path in self.tables().paths(place.dev, &inside) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
    }
}

/// Whether a kept name still leads to its file, and the file still has others. What only a
/// container has cannot be looked at from here.
fn is_still(name: &LinkName, mounts: &Mounts) -> bool {
    let paths = name
        .path
        .as_ref()
        .map(|path| mounts.host_path(name.dev, path));
    let Some(path) = paths.as_ref().and_then(|paths| paths.first()) else {
        return true;
    };
    let found = Path::new(OsStr::from_bytes(path)).symlink_metadata();
    found.is_ok_and(|found| found.ino() == name.ino && found.nlink() > 1)
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: BTreeSet<LinkName>,
    /// A bound was reached.
    pub(super) is_cut: bool,
}

/// Where patterns are after some components: pattern, next component.
type Positions = Vec<(usize, usize)>;

struct Search<'a> {
    patterns: &'a [Pattern],
    mounts: &'a Mounts,
    found: Found,
    left: usize,
    work_end: Duration,
    end: Instant,
    folders: Vec<(PathBuf, u64, Positions)>,
}

/// Patterns of deny rules that begin with a name, each once.
pub(super) fn patterns(policies: &[Effective]) -> Vec<Pattern> {
    let rules = policies.iter().flat_map(|one| &one.policy.rules);
    let mut patterns = BTreeSet::new();
    for rule in rules.filter(|rule| rule.verdict == Verdict::Deny) {
        if let Match::Path(list) = &rule.matches {
            let named = |pattern: &&Pattern| {
                let first = pattern.components().first();
                first.and_then(Component::literal).is_some()
            };
            patterns.extend(list.iter().filter(named).cloned());
        }
    }
    patterns.into_iter().collect()
}

/// Looks for files with several names on the host.
pub(super) fn search(patterns: &[Pattern], mounts: &Mounts) -> Found {
    let start = (0..patterns.len()).map(|pattern| (pattern, 0)).collect();
    let root = Path::new("/");
    let Ok(metadata) = root.symlink_metadata() else {
        return Found::default();
    };
    let mut search = Search {
        patterns,
        mounts,
        found: Found::default(),
        left: ENTRIES_MAX,
        work_end: work_done() + WORK_MAX,
        end: Instant::now() + TIME_MAX,
        folders: vec![(root.to_owned(), metadata.dev(), start)],
    };
    while let Some((folder, device, positions)) = search.folders.pop() {
        let positions = search.closure(positions);
        search.visit(&folder, device, &positions);
        if search.found.is_cut {
            break;
        }
    }
    search.found
}

/// The time of a processor that this thread has used.
fn work_done() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

impl Search<'_> {
    fn is_at_bound(&self) -> bool {
        self.left == 0
            || self.found.names.len() >= LINKS_MAX
            || work_done() > self.work_end
            || Instant::now() > self.end
    }

    /// `**` stands for no component, too.
    fn closure(&self, mut positions: Positions) -> Positions {
        let mut at = 0;
        while at < positions.len() {
            let (pattern, index) = positions[at];
            let components = self.patterns[pattern].components();
            let next = (pattern, index + 1);
            if components[index] == Component::AnyDepth
                && index + 1 < components.len()
                && !positions.contains(&next)
            {
                positions.push(next);
            }
            at += 1;
        }
        positions
    }

    fn visit(&mut self, folder: &Path, device: u64, positions: &Positions) {
        let literals: Option<BTreeSet<Vec<u8>>> = positions
            .iter()
            .map(|&(pattern, index)| self.patterns[pattern].components()[index].literal())
            .collect();
        if let Some(names) = literals {
            for name in names {
                self.look(folder, OsStr::from_bytes(&name), device, positions);
            }
            return;
        }
        // Gone, or not to be read: there is nothing to find.
        let Ok(entries) = folder.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            self.look(folder, &entry.file_name(), device, positions);
            if self.found.is_cut {
                return;
            }
        }
    }

    fn look(&mut self, folder: &Path, name: &OsStr, device: u64, positions: &Positions) {
        if self.is_at_bound() {
            self.found.is_cut = true;
            return;
        }
        let (next, is_named) = self.step(positions, name.as_bytes());
        if next.is_empty() && !is_named {
            return;
        }
        self.left -= 1;
        let path = folder.join(name);
        let Ok(metadata) = path.symlink_metadata() else {
            return;
        };
        if metadata.is_dir() {
            let is_same = metadata.dev() == device;
            if !next.is_empty() && (is_same || has_linkable_files(&path)) {
                self.folders.push((path, metadata.dev(), next));
            }
        } else if is_named && metadata.nlink() > 1 {
            self.keep(&path, &metadata);
        }
    }

    /// Positions after `name`, and whether a pattern ends there.
    fn step(&self, positions: &Positions, name: &[u8]) -> (Positions, bool) {
        let mut next = Positions::new();
        let mut is_named = false;
        for &(pattern, index) in positions {
            let components = self.patterns[pattern].components();
            let is_last = index + 1 == components.len();
            let after = match &components[index] {
                Component::AnyDepth => {
                    is_named |= is_last;
                    (pattern, index)
                }
                component if component.matches(name) => {
                    is_named |= is_last;
                    (pattern, index + 1)
                }
                _ => continue,
            };
            if after.1 < components.len() && !next.contains(&after) {
                next.push(after);
            }
        }
        (next, is_named)
    }

    fn keep(&mut self, path: &Path, metadata: &Metadata) {
        // Of another mount than the table says: mounted a moment ago, and looked for again.
        if let Some((dev, inside)) = self.mounts.inside(path.as_os_str().as_bytes()) {
            self.found.names.insert(LinkName {
                dev,
                ino: metadata.ino(),
                path: Some(inside),
            });
        }
    }
}

#[cfg(test)]
mod tests;
