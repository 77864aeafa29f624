//! What lies where on a host: the only list of it.
//!
//! [`manifest`] has a line for every file, [`layout`] says which folder each kind of file goes to.
//! `tyr install` lays them out, on this host or below a folder that packages are made from, and
//! `tyr uninstall` takes back what the record says was laid out. Each is first a list of steps that
//! nothing but reading made, and then done: a dry run stops between the two.

pub mod accounts;
pub mod error;
mod file;
pub mod folders;
pub mod layout;
pub mod manifest;
pub mod put;
pub mod record;
pub mod step;
pub mod systemd;
pub mod take;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::Error;
use layout::Layout;

/// A file system to install into.
#[derive(Clone, Debug)]
pub struct Target {
    root: PathBuf,
    pub layout: Layout,
}

impl Target {
    /// Below `root`, `/` for this host.
    pub fn new(root: impl Into<PathBuf>, layout: Layout) -> Target {
        Target {
            root: root.into(),
            layout,
        }
    }

    /// Whether it is this host itself, whose systemd and kernel are then spoken to.
    pub fn is_host(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where an absolute path of the installation is now.
    pub fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}
