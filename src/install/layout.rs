//! Prefix → the folder of each kind of file.

use std::path::{Component, Path, PathBuf};

use super::Error;

/// A kind of file, by where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// What people and units start.
    Programs,
    /// Files of Tyr that are the same on every machine.
    Shared,
    /// Example policies.
    Policies,
    /// systemd's units.
    Units,
    /// Users for systemd-sysusers.
    Users,
    /// Folders for systemd-tmpfiles.
    Folders,
    /// Configuration, below /etc whatever the prefix.
    Settings,
    /// Manual pages of a section.
    Manual(u8),
    Bash,
    Zsh,
    Fish,
}

/// Where an installation lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    prefix: PathBuf,
}

impl Layout {
    /// # Errors
    /// The prefix is not a plain absolute path.
    pub fn new(prefix: &Path) -> Result<Layout, Error> {
        let plain = prefix.is_absolute()
            && prefix.components().all(|part| match part {
                Component::RootDir => true,
                Component::Normal(name) => name.to_str().is_some_and(is_plain),
                _ => false,
            });
        if !plain {
            return Err(Error::Prefix {
                path: prefix.to_owned(),
            });
        }
        // Without a slash at the end, which the record would else take for another place.
        Ok(Layout {
            prefix: prefix.components().collect(),
        })
    }

    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// systemd reads what packages bring below /usr/lib, and what an administrator brings below
    /// /etc, from no other prefix.
    pub fn folder(&self, folder: Folder) -> PathBuf {
        let systemd = if self.prefix == Path::new("/usr") {
            Path::new("/usr/lib")
        } else {
            Path::new("/etc")
        };
        match folder {
            Folder::Programs => self.prefix.join("bin"),
            Folder::Shared => self.prefix.join("share/tyr"),
            Folder::Policies => self.prefix.join("share/tyr/policies"),
            Folder::Units => systemd.join("systemd/system"),
            Folder::Users => systemd.join("sysusers.d"),
            Folder::Folders => systemd.join("tmpfiles.d"),
            Folder::Settings => PathBuf::from(SETTINGS),
            Folder::Manual(section) => self.prefix.join(format!("share/man/man{section}")),
            Folder::Bash => self.prefix.join("share/bash-completion/completions"),
            Folder::Zsh => self.prefix.join("share/zsh/site-functions"),
            Folder::Fish => self.prefix.join("share/fish/vendor_completions.d"),
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
}

/// Configuration.
pub const SETTINGS: &str = "/etc/tyr";
/// State of the daemon, and below it that of the server.
pub const STATE: &str = "/var/lib/tyr";
/// What a purge removes besides: nothing in it outlives a boot.
pub const RUN: [&str; 2] = ["/run/tyr", "/run/tyr-self-test"];
