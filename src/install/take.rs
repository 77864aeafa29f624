//! Taking an installation back.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{Found, look};
use super::layout::{Folder, SETTINGS};
use super::manifest::Role;
use super::put::{refuse_others, systemctl};
use super::record::{Entry, Record};
use super::step::{Action, Step, Work};
use super::{Error, Target, folders, systemd};
use crate::kernel::pins;

/// What is to be done, in order.
#[derive(Debug)]
pub struct Plan {
    steps: Vec<(Step, Work)>,
    /// What is left to take back another time.
    left: Option<Record>,
}

/// Where units that are enabled have their links.
const ENABLED: &str = "/etc/systemd/system";
/// Settings that name folders of their own.
const NAMES_FOLDER: [(&str, &str); 2] =
    [("daemon.yaml", "state_dir:"), ("server.yaml", "data_dir:")];

/// What takes back what the record says. With `purge` also settings that were edited, keys,
/// policies, the database and the user.
///
/// # Errors
/// A package manager has installed Tyr, or what is there cannot be looked at.
pub fn plan(target: &Target, record: Option<&Record>, purge: bool) -> Result<Plan, Error> {
    refuse_others(target, record)?;
    let mut plan = Plan {
        steps: Vec::new(),
        left: None,
    };
    let units = units(target, record);
    let told = target.is_host() && systemd::runs();
    if told {
        for &unit in &units {
            plan.steps.push(systemctl(vec!["disable", "--now", unit]));
        }
    } else {
        plan.links(target)?;
    }
    if target.is_host() && Path::new(pins::DEFAULT_DIR).exists() && (purge || record.is_some()) {
        let step = Step::new(Action::Run, "tyr daemon --release");
        let note = "takes enforcement off: agents on this host are no longer governed";
        plan.steps.push((step.note(note), Work::Release));
    }
    let mut left = record.cloned();
    if let Some(left) = &mut left {
        plan.files(target, left, purge)?;
    }
    if purge {
        plan.purge(target, left.as_mut());
    }
    if let Some(left) = &left {
        let folders = left.folders.iter().rev();
        for folder in folders.filter(|folder| target.at(folder).is_dir()) {
            let step = Step::path(Action::Remove, folder).note("unless something else is in it");
            plan.steps.push((step, Work::RemoveFolder(folder.clone())));
        }
        if told && !units.is_empty() {
            plan.steps.push(systemctl(vec!["daemon-reload"]));
        }
    }
    plan.left = left.filter(|left| !purge && !left.is_empty());
    Ok(plan)
}

impl Plan {
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|(step, _)| step)
    }

    /// Does it.
    ///
    /// # Errors
    /// The first step that fails; those before it are done, and the next run goes on.
    pub fn perform(&self, target: &Target) -> Result<(), Error> {
        let mut rest = &self.steps[..];
        let is_folder = |(_, work): &(Step, Work)| matches!(work, Work::RemoveFolder(_));
        while let Some((step, tail)) = rest.split_first() {
            // Before the first folder, which may be the record's own.
            if is_folder(step) {
                break;
            }
            step.1.perform(target)?;
            rest = tail;
        }
        match &self.left {
            Some(left) => left.write(target)?,
            None => super::file::remove(&target.at(Record::path()), false)?,
        }
        rest.iter().try_for_each(|(_, work)| work.perform(target))
    }

    fn push(&mut self, step: Step, work: Work) {
        self.steps.push((step, work));
    }

    /// Links of enabled units, where no systemd runs that could be told.
    fn links(&mut self, target: &Target) -> Result<(), Error> {
        let units: Vec<&str> = Role::ALL.iter().filter_map(|role| role.unit()).collect();
        let folder = target.at(Path::new(ENABLED));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let folder = Path::new(ENABLED).join(entry.file_name());
            if folder.extension().is_none_or(|kind| kind != "wants") {
                continue;
            }
            for unit in &units {
                let link = folder.join(unit);
                if matches!(look(&target.at(&link))?, Found::Link(_)) {
                    let step = Step::path(Action::Remove, &link).note("the unit was enabled");
                    self.push(step, Work::Remove(link));
                }
            }
        }
        Ok(())
    }

    /// Files of the record; what stays, stays in it.
    fn files(&mut self, target: &Target, left: &mut Record, purge: bool) -> Result<(), Error> {
        for (path, entry) in std::mem::take(&mut left.files) {
            let found = look(&target.at(&path))?;
            let (action, note) = fate(&found, &entry, purge);
            if action == Action::Unchanged {
                continue;
            }
            if action == Action::Keep {
                left.files.insert(path.clone(), entry);
                self.push(Step::path(action, &path).note(note), Work::Nothing);
            } else {
                self.push(Step::path(action, &path).note(note), Work::Remove(path));
            }
        }
        Ok(())
    }

    fn purge(&mut self, target: &Target, left: Option<&mut Record>) {
        for folder in named_elsewhere(target) {
            let step =
                Step::path(Action::Keep, &folder).note("settings name it: remove it by hand");
            self.push(step, Work::Nothing);
        }
        for folder in folders::state() {
            if target.at(folder).exists() {
                let step = Step::path(Action::Remove, folder).note("and everything in it");
                self.push(step, Work::RemoveWhole(folder.to_owned()));
            }
        }
        for name in left
            .map(|left| std::mem::take(&mut left.users))
            .unwrap_or_default()
        {
            let step = Step::new(Action::Remove, format!("user {name}"));
            self.push(step, Work::RemoveUser(name));
        }
    }
}

/// Units of the installation that are there.
fn units(target: &Target, record: Option<&Record>) -> Vec<&'static str> {
    let folder = target.layout.folder(Folder::Units);
    let roles = record.map(|record| &*record.roles).unwrap_or_default();
    let units = roles.iter().filter_map(|role| role.unit());
    units
        .filter(|unit| target.at(&folder.join(unit)).exists())
        .collect()
}

/// What becomes of a file; `Unchanged`: it is gone already.
fn fate(found: &Found, entry: &Entry, purge: bool) -> (Action, &'static str) {
    let as_laid_out = match found {
        Found::Nothing => return (Action::Unchanged, ""),
        Found::File { sha256, .. } => entry.sha256.contains(sha256),
        Found::Link(to) => entry.target.as_ref() == Some(to),
        Found::Other => return (Action::Keep, "it is not the file that was laid out"),
    };
    match (as_laid_out, entry.setting) {
        (true, _) => (Action::Remove, ""),
        (false, _) if purge => (Action::Remove, "it was edited"),
        (false, true) => (Action::Keep, "it was edited; --purge removes it"),
        (false, false) => (Action::Keep, "it was changed since; --purge removes it"),
    }
}

/// Folders outside the usual ones that settings name.
fn named_elsewhere(target: &Target) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (name, key) in NAMES_FOLDER {
        let text = fs::read_to_string(target.at(&Path::new(SETTINGS).join(name)));
        for line in text.unwrap_or_default().lines() {
            let Some(value) = line.strip_prefix(key) else {
                continue;
            };
            let value = value.split(" #").next().unwrap_or_default();
            let folder = PathBuf::from(value.trim().trim_matches(['"', '\'']));
            let usual = folders::state()
                .iter()
                .any(|usual| folder.starts_with(usual));
            if folder.is_absolute() && !usual && target.at(&folder).exists() {
                found.push(folder);
            }
        }
    }
    found
}
