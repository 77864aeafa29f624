//! `tyr-self`: the built-in policy that keeps agents away from Tyr's own files.
//!
//! It holds on every host for every agent, is named in events and explanations like any other,
//! and cannot be switched off. What no path describes (signals, tracing, kernel settings) the
//! kernel programs refuse by themselves, under the same name.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::action::Action;
use crate::model::verdict::{Mode, Severity, Verdict};

use super::pattern::Pattern;
use super::rule::{Effective, Match, Policy, Rule};

pub const NAME: &str = "tyr-self";
pub const VERSION: u64 = 1;

/// Where Tyr's files are on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Folders with keys, tokens, policies and events.
    pub secrets: Vec<PathBuf>,
    /// Executables of Tyr.
    pub executables: Vec<PathBuf>,
    /// Files and folders that say how Tyr runs.
    pub settings: Vec<PathBuf>,
}

impl Default for Places {
    /// Where the packages put things.
    fn default() -> Places {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
        Places {
            secrets: paths(&["/var/lib/tyr"]),
            executables: paths(&["/usr/bin/tyr", "/usr/bin/tyrd", "/usr/bin/tyr-server"]),
            settings: paths(&["/etc/tyr", "/run/tyr", "/run/tyr-self-test"]),
        }
    }
}

/// How one rule came to be.
struct Draft {
    name: &'static str,
    description: &'static str,
    action: Action,
    patterns: Vec<String>,
}

/// The policy for a host.
pub fn policy(places: &Places) -> Effective {
    let mut rules = Vec::new();
    for draft in drafts(places) {
        let patterns = draft
            .patterns
            .iter()
            .filter_map(|text| Pattern::parse(text).ok());
        rules.push(Rule {
            name: draft.name.to_owned(),
            description: draft.description.to_owned(),
            action: draft.action,
            verdict: Verdict::Deny,
            severity: Severity::Critical,
            binaries: Vec::new(),
            agent_types: Vec::new(),
            matches: Match::Path(patterns.collect()),
            condition: None,
            line: 0,
        });
    }
    Effective {
        policy: Arc::new(Policy {
            name: NAME.to_owned(),
            description: "Agents may not touch what governs them.".to_owned(),
            labels: BTreeMap::new(),
            rules,
            disabled: Vec::new(),
        }),
        version: VERSION,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    }
}

fn drafts(places: &Places) -> Vec<Draft> {
    let own = |paths: &[PathBuf]| paths.iter().flat_map(|path| whole(path)).collect();
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let secrets: Vec<String> = own(&places.secrets);
    let units = [
        "/etc/systemd/system/tyr*",
        "/etc/systemd/system/tyr*/**",
        "/etc/systemd/system/*/tyr*",
        "/run/systemd/system/tyr*",
        "/run/systemd/system/tyr*/**",
        "/usr/lib/systemd/system/tyr*",
        "/usr/lib/systemd/system/tyr*/**",
    ];
    let draft = |name, description, action, patterns| Draft {
        name,
        description,
        action,
        patterns,
    };
    use Action::{FileRead, FileWrite};
    vec![
        draft(
            "state-read",
            "keys of this host, tokens, and events that are not sent yet",
            FileRead,
            secrets.clone(),
        ),
        draft(
            "state-write",
            "the same, the policies of the last time, and the server's database socket",
            FileWrite,
            secrets,
        ),
        draft(
            "credentials-read",
            "whoever holds an operator's token changes policies",
            FileRead,
            texts(&CREDENTIALS),
        ),
        draft(
            "credentials-write",
            "the command line would talk to another server",
            FileWrite,
            texts(&CREDENTIALS),
        ),
        draft(
            "executables",
            "the next start would run something else",
            FileWrite,
            own(&places.executables),
        ),
        draft(
            "settings",
            "the next start would govern less",
            FileWrite,
            own(&places.settings),
        ),
        draft(
            "units",
            "the next start would govern less, or not be",
            FileWrite,
            texts(&units),
        ),
        draft(
            "boot",
            "what is loaded or started before Tyr is",
            FileWrite,
            texts(&BOOT),
        ),
        // Devices whose numbers are given out as they come: the kernel cannot know them.
        draft(
            "devices-read",
            "a disk read below its file system has no paths",
            FileRead,
            texts(&DEVICES),
        ),
        draft(
            "devices-write",
            "a disk written below its file system has no paths",
            FileWrite,
            texts(&DEVICES),
        ),
    ]
}

/// Tokens of the command line.
const CREDENTIALS: [&str; 4] = [
    "/root/.config/tyr",
    "/root/.config/tyr/**",
    "/home/*/.config/tyr",
    "/home/*/.config/tyr/**",
];

const BOOT: [&str; 8] = [
    "/boot/**",
    "/efi/**",
    "/lib/modules/**",
    "/usr/lib/modules/**",
    "/etc/modprobe.d/**",
    "/etc/modules-load.d/**",
    "/etc/sysctl.d/**",
    "/etc/default/grub*",
];

const DEVICES: [&str; 7] = [
    "/dev/nvme*",
    "/dev/ng[0-9]*",
    "/dev/bsg/*",
    "/dev/dax*",
    "/dev/vfio/*",
    "/dev/mei*",
    "/dev/ipmi*",
];

/// A path, and everything below it.
fn whole(path: &Path) -> [String; 2] {
    let text = Pattern::from_literal(path.as_os_str().as_bytes()).to_string();
    let below = format!("{text}/**");
    [text, below]
}

#[cfg(test)]
mod tests;
