//! Loading, whole or not at all, and finding what an earlier daemon left attached.
//!
//! What is attached stays until what replaces it is attached and decides. Where the new programs
//! cannot be loaded, the old ones go on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::attach::{Attached, Plan, attach, pinned_layout, program_names};
use super::build::Build;
use super::error::Error;
use super::features;
use super::object::EnforcementMode;
use super::pins::{Folder, Pins};

/// What to load, and where to keep it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Directory on a BPF file system; `None` detaches everything when `Programs` is dropped.
    pub pin_dir: Option<PathBuf>,
    /// Agents are only recognised below this cgroup.
    pub scope: Option<Scope>,
    /// The strongest mode to try.
    pub mode_limit: EnforcementMode,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            pin_dir: Some(super::pins::DEFAULT_DIR.into()),
            scope: None,
            mode_limit: EnforcementMode::Lsm,
        }
    }
}

/// A cgroup, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub cgroup_id: u64,
    /// Depth in the hierarchy; the root is 0.
    pub level: u32,
}

/// The kernel programs, attached (or, in `Observe`, the knowledge of why they are not).
pub struct Programs {
    mode: EnforcementMode,
    limits: Vec<String>,
    adopted: bool,
    pub(crate) attached: Option<Attached>,
    pub(super) pins: Option<Pins>,
    /// Builds whose maps these programs cannot use. They enforce what they have until these do.
    pub(super) before: Mutex<Vec<Folder>>,
}

/// A build that is pinned whole.
struct Pinned {
    folder: Folder,
    layout: Option<u32>,
    mode: EnforcementMode,
}

impl Programs {
    /// Attaches the strongest mode that this kernel takes, or adopts what is pinned.
    ///
    /// In `Observe` nothing is attached; `limits` says why.
    ///
    /// # Errors
    /// The pins cannot be read or written, or the scope cannot be set.
    pub fn load(options: &LoadOptions) -> Result<Programs, Error> {
        Programs::load_build(options, &Build::own())
    }

    /// The same for the programs of another version.
    ///
    /// # Errors
    /// As for `load`.
    pub fn load_build(options: &LoadOptions, build: &Build) -> Result<Programs, Error> {
        super::report::listen();
        let pins = options.pin_dir.as_deref().map(Pins::create).transpose();
        let pins = match pins {
            Ok(pins) => pins,
            Err(error) => return Ok(Programs::observing(vec![error.to_string()])),
        };
        let pinned = pins.as_ref().map(pinned).transpose()?.unwrap_or_default();
        if let Some(programs) = adopt_own(&pinned, pins.as_ref(), build, options)? {
            return Ok(programs);
        }
        let mut limits = Vec::new();
        for mode in [EnforcementMode::Lsm, EnforcementMode::FmodRet] {
            if mode > options.mode_limit || is_weaker(mode, &pinned, options) {
                continue;
            }
            if mode == EnforcementMode::Lsm && !features::lsm_is_active() {
                limits.push(features::lsm_advice());
                continue;
            }
            let same = pinned.iter().find(|old| old.layout == Some(build.layout()));
            let plan = Plan {
                mode,
                build,
                options,
                pins: pins.as_ref(),
                maps: same.map(|old| &old.folder),
            };
            match attach(&plan) {
                Ok(attached) => {
                    let programs = Programs::of(mode, attached, limits, pins);
                    programs.supersede(pinned, build)?;
                    return Ok(programs);
                }
                Err(error) => limits.push(format!("{mode}: {error}")),
            }
        }
        if options.mode_limit == EnforcementMode::Observe {
            limits.push("enforcement is switched off by configuration".to_owned());
        } else {
            limits.splice(0..0, features::missing());
        }
        keep_old(&pinned, pins, limits, build, options)
    }

    fn observing(limits: Vec<String>) -> Programs {
        Programs {
            mode: EnforcementMode::Observe,
            limits,
            adopted: false,
            attached: None,
            pins: None,
            before: Mutex::default(),
        }
    }

    /// Programs that were attached just now.
    fn of(
        mode: EnforcementMode,
        attached: Attached,
        limits: Vec<String>,
        pins: Option<Pins>,
    ) -> Programs {
        let mut limits = limits;
        limits.extend(mode_limits(mode));
        Programs {
            mode,
            limits,
            adopted: false,
            attached: Some(attached),
            pins,
            before: Mutex::default(),
        }
    }

    /// Takes off the builds before this one. Those of another layout stay until `take_over`.
    fn supersede(&self, pinned: Vec<Pinned>, build: &Build) -> Result<(), Error> {
        let Some(pins) = &self.pins else {
            return Ok(());
        };
        let others = pinned
            .into_iter()
            .filter(|old| old.folder.build != build.number() && old.layout != Some(build.layout()));
        let others: Vec<Folder> = others.map(|old| old.folder).collect();
        let mut keep: Vec<u64> = others.iter().map(|folder| folder.build).collect();
        keep.push(build.number());
        pins.remove_others(&keep)?;
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = others;
        Ok(())
    }

    /// How verdicts are enforced.
    pub fn mode(&self) -> EnforcementMode {
        self.mode
    }

    /// What is weaker than full enforcement and why, for people; empty when nothing is.
    pub fn limits(&self) -> &[String] {
        &self.limits
    }

    /// Whether an earlier daemon's programs were found and kept.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    pub(crate) fn attached(&self) -> Result<&Attached, Error> {
        self.attached
            .as_ref()
            .ok_or_else(|| Error::Observing(self.limits.join("; ")))
    }
}

const FMOD_RET_LIMIT: &str = "fmod_ret: a program that interrupts itself on one CPU is skipped; \
     add `bpf` to the active LSMs for full enforcement";

fn mode_limits(mode: EnforcementMode) -> Vec<String> {
    let mut limits = Vec::new();
    if mode == EnforcementMode::FmodRet {
        limits.push(FMOD_RET_LIMIT.to_owned());
    }
    limits
}

fn pinned(pins: &Pins) -> Result<Vec<Pinned>, Error> {
    let mut all = Vec::new();
    for folder in pins.builds()? {
        let names = folder.link_names()?;
        let modes = [EnforcementMode::Lsm, EnforcementMode::FmodRet];
        let mode = modes.into_iter().find(|mode| {
            let mut names = names.iter();
            names.any(|name| name.starts_with(mode.prefix()))
        });
        if let Some(mode) = mode {
            all.push(Pinned {
                layout: pinned_layout(&folder),
                folder,
                mode,
            });
        }
    }
    // The stronger ones first.
    all.sort_by_key(|old| std::cmp::Reverse(old.mode));
    Ok(all)
}

/// A mode never replaces a stronger one that is attached and allowed.
fn is_weaker(mode: EnforcementMode, pinned: &[Pinned], options: &LoadOptions) -> bool {
    let attached = pinned.iter().map(|old| old.mode);
    attached
        .filter(|attached| *attached <= options.mode_limit)
        .any(|attached| mode < attached)
}

/// Takes over this build's own programs, when they are pinned and none is missing.
fn adopt_own(
    pinned: &[Pinned],
    pins: Option<&Pins>,
    build: &Build,
    options: &LoadOptions,
) -> Result<Option<Programs>, Error> {
    let own = pinned
        .iter()
        .find(|old| old.folder.build == build.number() && old.mode <= options.mode_limit);
    let Some(own) = own else { return Ok(None) };
    let names = own.folder.link_names()?;
    if !program_names(own.mode)
        .iter()
        .all(|name| names.contains(name))
    {
        return Ok(None);
    }
    let Some(programs) = adopt(own, pins, Vec::new(), build, options)? else {
        return Ok(None);
    };
    let others = pinned.iter().map(|old| Pinned {
        folder: old.folder.clone(),
        ..*old
    });
    programs.supersede(others.collect(), build)?;
    Ok(Some(programs))
}

fn adopt(
    old: &Pinned,
    pins: Option<&Pins>,
    limits: Vec<String>,
    build: &Build,
    options: &LoadOptions,
) -> Result<Option<Programs>, Error> {
    let Some(attached) = Attached::open(&old.folder)? else {
        return Ok(None);
    };
    attached.write_config(build, options)?;
    let programs = Programs::of(old.mode, attached, limits, pins.cloned());
    Ok(Some(Programs {
        adopted: true,
        ..programs
    }))
}

/// Nothing of this build can be attached. An earlier one that speaks its language is used instead;
/// one that does not goes on with the policies that it has.
fn keep_old(
    pinned: &[Pinned],
    pins: Option<Pins>,
    mut limits: Vec<String>,
    build: &Build,
    options: &LoadOptions,
) -> Result<Programs, Error> {
    let same = pinned
        .iter()
        .find(|old| old.layout == Some(build.layout()) && old.mode <= options.mode_limit);
    if let Some(old) = same {
        let mut said = limits.clone();
        said.push(KEPT_LIMIT.to_owned());
        if let Some(programs) = adopt(old, pins.as_ref(), said, build, options)? {
            return Ok(programs);
        }
    }
    if !pinned.is_empty() {
        limits.push(FOREIGN_LIMIT.to_owned());
    }
    Ok(Programs {
        pins,
        ..Programs::observing(limits)
    })
}

const KEPT_LIMIT: &str = "the kernel programs of an earlier version of tyr stay in force, because \
     those of this version cannot be loaded";
const FOREIGN_LIMIT: &str = "the kernel programs of an earlier version of tyr go on enforcing the \
     policies they have, which this version cannot change: start that version again, or mend what \
     keeps this one from loading its own";

impl Scope {
    /// The scope of a cgroup directory such as `/sys/fs/cgroup/agents`, or of a path below the
    /// hierarchy's root such as `/agents`.
    ///
    /// # Errors
    /// It is no directory of the unified hierarchy.
    pub fn of(path: &Path) -> Result<Scope, Error> {
        features::cgroup_scope(path)
    }
}
