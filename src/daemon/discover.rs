//! Agents that ran before the kernel programs were attached.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::policy::signatures::Signatures;

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

/// Most arguments of an interpreter that are tried as its script.
const SCRIPTS_MAX: usize = 8;

/// The outermost agents among the processes below `scope` (a cgroup path such as `/canary`;
/// `None`: all). An agent that started this daemon, `own_pid`, is left out: its session would
/// hold the daemon too.
pub fn discover(
    procfs: &Procfs,
    signatures: &Signatures,
    scope: Option<&str>,
    own_pid: u32,
) -> Vec<Found> {
    let mut running: HashMap<u32, Running> = HashMap::new();
    for pid in procfs.pids() {
        if pid == own_pid {
            continue;
        }
        if let (Some(stat), Some(exe)) = (procfs.stat(pid), procfs.exe(pid))
            && in_scope(procfs, pid, scope)
        {
            running.insert(
                pid,
                Running {
                    parent_pid: stat.parent_pid,
                    exe,
                },
            );
        }
    }
    let mut found: HashMap<u32, Found> = HashMap::new();
    for (pid, process) in &running {
        if let Some((number, evidence)) = recognise(procfs, signatures, *pid, &process.exe)
            && let Some(agent_type) = signatures.id(number)
        {
            found.insert(
                *pid,
                Found {
                    pid: *pid,
                    parent_pid: process.parent_pid,
                    uid: procfs.uid(*pid).unwrap_or(0),
                    exe: process.exe.clone(),
                    agent_type: agent_type.to_owned(),
                    evidence,
                },
            );
        }
    }
    let own_ancestors = ancestors(procfs, own_pid);
    let mut roots: Vec<Found> = found
        .values()
        .filter(|agent| !is_inside_another(&running, &found, agent))
        .filter(|agent| {
            let started_us = own_ancestors.contains(&agent.pid);
            if started_us {
                tracing::warn!(
                    pid = agent.pid,
                    "the agent that started this daemon is not governed"
                );
            }
            !started_us
        })
        .cloned()
        .collect();
    roots.sort_unstable_by_key(|agent| agent.pid);
    roots
}

/// Parents of a process up to the first.
fn ancestors(procfs: &Procfs, pid: u32) -> HashSet<u32> {
    let mut ancestors = HashSet::new();
    let mut at = pid;
    while let Some(stat) = procfs.stat(at)
        && ancestors.insert(stat.parent_pid)
    {
        at = stat.parent_pid;
    }
    ancestors
}

struct Running {
    parent_pid: u32,
    exe: Vec<u8>,
}

/// An agent that another one started belongs to that one's session.
fn is_inside_another(
    running: &HashMap<u32, Running>,
    found: &HashMap<u32, Found>,
    agent: &Found,
) -> bool {
    let mut at = agent.parent_pid;
    // A process cannot be its own ancestor, but /proc is read while processes change.
    for _ in 0..running.len() {
        if found.contains_key(&at) {
            return true;
        }
        match running.get(&at) {
            Some(process) => at = process.parent_pid,
            None => return false,
        }
    }
    false
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
        cgroup
            .strip_prefix(scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests;
