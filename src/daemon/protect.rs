//! What the daemon does so that agents cannot get at it.

use std::path::{Path, PathBuf};

use crate::policy::own::{self, Places};
use crate::policy::resolve_symlinks;
use crate::policy::rule::Effective;

use super::config::Config;

/// `tyr-self` for this daemon: where it keeps its things, and where packages put them.
pub fn policy(config: &Config) -> Effective {
    let mut places = Places::default();
    places.secrets.push(config.state_dir.clone());
    places.settings.extend(config.files.iter().cloned());
    places.settings.extend(config.policies.iter().cloned());
    places.settings.extend(config.signatures.iter().cloned());
    if let Ok(own) = std::env::current_exe() {
        // Units start it by these names, whatever the prefix.
        let names = ["tyr", "tyrd", "tyr-server"].map(|name| own.with_file_name(name));
        places.executables.extend(names);
        places.executables.push(own);
    }
    for list in [
        &mut places.secrets,
        &mut places.settings,
        &mut places.executables,
    ] {
        list.iter_mut().for_each(make_absolute);
        list.sort();
        list.dedup();
    }
    let mut effective = own::policy(&places);
    let policy = std::sync::Arc::make_mut(&mut effective.policy);
    resolve_symlinks(policy, &|path: &Path| std::fs::canonicalize(path).ok());
    effective
}

/// Paths of options may be relative to where the daemon was started.
fn make_absolute(path: &mut PathBuf) {
    if let Ok(absolute) = std::path::absolute(&*path) {
        *path = absolute;
    }
}
