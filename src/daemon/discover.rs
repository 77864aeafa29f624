//! Agents that ran before the kernel programs were attached.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::policy::signatures::Signatures;

use super::kernel::Tag;
use super::procfs::Procfs;

/// A process that is an agent's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub pid: u32,
    pub parent_pid: u32,
    pub uid: u32,
    pub exe: Vec<u8>,
    pub agent_type: String,
    /// The file that shows it.
    pub evidence: String,
}

/// Roots, and the tags of every process below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    pub roots: Vec<Found>,
    pub tags: Vec<Tag>,
}

/// Most arguments of an interpreter that are tried as its script.
const SCRIPTS_MAX: usize = 8;

/// Looks at every process below `scope` (a cgroup path such as `/canary`; `None`: all), except
/// `own_pid`.
pub fn discover(
    procfs: &Procfs,
    signatures: &Signatures,
    scope: Option<&str>,
    own_pid: u32,
) -> Discovery {
    let mut running: HashMap<u32, Running> = HashMap::new();
    for pid in procfs.pids() {
        if pid == own_pid {
            continue;
        }
        if let (Some(stat), Some(exe)) = (procfs.stat(pid), procfs.exe(pid))
            && in_scope(procfs, pid, scope)
        {
            running.insert(pid, Running { parent_pid: stat.parent_pid, exe });
        }
    }
    let mut found: HashMap<u32, Found> = HashMap::new();
    for (pid, process) in &running {
        if let Some((number, evidence)) = recognise(procfs, signatures, *pid, &process.exe)
            && let Some(agent_type) = signatures.id(number)
        {
            found.insert(*pid, Found {
                pid: *pid,
                parent_pid: process.parent_pid,
                uid: procfs.uid(*pid).unwrap_or(0),
                exe: process.exe.clone(),
                agent_type: agent_type.to_owned(),
                evidence,
            });
        }
    }
    arrange(&running, &found)
}

struct Running {
    parent_pid: u32,
    exe: Vec<u8>,
}

/// The outermost agent of each process is its root. An agent started by another belongs to it.
fn arrange(running: &HashMap<u32, Running>, found: &HashMap<u32, Found>) -> Discovery {
    let mut members: Vec<(u32, u32)> = running
        .keys()
        .filter_map(|pid| outermost(running, found, *pid).map(|root| (root, *pid)))
        .collect();
    // Roots come before what they started, so that a tag names an earlier one.
    members.sort_unstable_by_key(|(root, pid)| (*root, pid != root, *pid));
    let mut discovery = Discovery::default();
    let mut root_index = 0;
    for (root, pid) in members {
        if pid == root {
            root_index = discovery.tags.len();
            discovery.roots.push(found[&root].clone());
        }
        discovery.tags.push(Tag {
            pid,
            exe: running[&pid].exe.clone(),
            root: root_index,
            agent_type: found[&root].agent_type.clone(),
        });
    }
    discovery
}

fn outermost(
    running: &HashMap<u32, Running>,
    found: &HashMap<u32, Found>,
    pid: u32,
) -> Option<u32> {
    let mut outermost = None;
    let mut at = pid;
    // A process cannot be its own ancestor, but /proc is read while processes change.
    for _ in 0..running.len() {
        if found.contains_key(&at) {
            outermost = Some(at);
        }
        match running.get(&at) {
            Some(process) => at = process.parent_pid,
            None => break,
        }
    }
    outermost
}

/// Number of the signature and the file that shows it.
fn recognise(
    procfs: &Procfs,
    signatures: &Signatures,
    pid: u32,
    exe: &[u8],
) -> Option<(u16, String)> {
    let by_exe = signatures.recognise(exe);
    if let Some(number) = by_exe.exe {
        return Some((number, String::from_utf8_lossy(exe).into_owned()));
    }
    if !by_exe.interpreter {
        return None;
    }
    let files = scripts(procfs, pid).into_iter().chain(procfs.files(pid));
    files.into_iter().find_map(|file| {
        let number = signatures.recognise(&file).open?;
        Some((number, String::from_utf8_lossy(&file).into_owned()))
    })
}

/// Real paths of the arguments that may be the interpreter's script.
fn scripts(procfs: &Procfs, pid: u32) -> Vec<Vec<u8>> {
    let cwd = procfs.cwd(pid).unwrap_or_else(|| PathBuf::from("/"));
    procfs
        .arguments(pid)
        .iter()
        .skip(1)
        .filter(|argument| !argument.starts_with('-') && !argument.is_empty())
        .take(SCRIPTS_MAX)
        .filter_map(|argument| std::fs::canonicalize(cwd.join(Path::new(argument))).ok())
        .map(|path| path.as_os_str().as_bytes().to_vec())
        .collect()
}

fn in_scope(procfs: &Procfs, pid: u32, scope: Option<&str>) -> bool {
    let Some(scope) = scope else { return true };
    let scope = scope.trim_end_matches('/');
    procfs.cgroup(pid).is_some_and(|cgroup| {
        cgroup.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests;
