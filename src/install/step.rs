//! One thing that an installation does, or in a dry run would do.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde::Serialize;

use super::accounts::{self, User};
use super::folders::{self, Line};
use super::{Error, Target, file, systemd};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Replace,
    /// It is as it should be.
    Unchanged,
    /// It is not, and stays all the same: the note says why.
    Keep,
    Remove,
    /// A command.
    Run,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Replace => "replace",
            Action::Unchanged => "unchanged",
            Action::Keep => "keep",
            Action::Remove => "remove",
            Action::Run => "run",
        }
    }
}

/// What is done, to what, and why if that is not plain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub action: Action,
    /// A path on the installed host, a user, or a command.
    pub what: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'static str,
}

impl Step {
    pub fn new(action: Action, what: impl Into<String>) -> Step {
        Step {
            action,
            what: what.into(),
            note: "",
        }
    }

    pub fn path(action: Action, path: &Path) -> Step {
        Step::new(action, path.display().to_string())
    }

    #[must_use]
    pub fn note(mut self, note: &'static str) -> Step {
        self.note = note;
        self
    }

    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.action, Action::Unchanged | Action::Keep)
    }
}

/// How a step is done. Paths are those of the installed host.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Nothing,
    Write(PathBuf, Arc<[u8]>, u32),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    RemoveWhole(PathBuf),
    /// When nothing is in it.
    RemoveFolder(PathBuf),
    MakeUser(User),
    RemoveUser(String),
    Folder(Line),
    Systemctl(Vec<&'static str>),
    /// Takes enforcement off.
    Release,
}

impl Work {
    pub(super) fn perform(&self, target: &Target) -> Result<(), Error> {
        match self {
            Work::Nothing => Ok(()),
            Work::Write(path, bytes, mode) => {
                let path = target.at(path);
                file::make_folders(&path)?;
                file::write(&path, bytes, *mode)
            }
            Work::Link(path, to) => {
                let path = target.at(path);
                file::make_folders(&path)?;
                file::link(&path, to)
            }
            Work::Remove(path) => file::remove(&target.at(path), false),
            Work::RemoveWhole(path) => file::remove(&target.at(path), true),
            // Something else is in it, or it is gone: both are well.
            Work::RemoveFolder(path) => {
                let _ = std::fs::remove_dir(target.at(path));
                Ok(())
            }
            Work::MakeUser(user) => accounts::make(target, user),
            Work::RemoveUser(name) => accounts::remove(target, name),
            Work::Folder(line) => folders::apply(target, line),
            Work::Systemctl(words) => systemd::systemctl(words),
            Work::Release => {
                systemd::run(Command::new(SELF).arg0("tyr").args(["daemon", "--release"]))
            }
        }
    }
}

/// This executable, also when its file is gone.
pub const SELF: &str = "/proc/self/exe";

/// Folders above `path` that are not there yet, outermost first.
pub(super) fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}
