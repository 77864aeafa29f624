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
    /// Signature ids of all agents around it, outermost first, and its own.
    pub agent_types: Vec<String>,
    /// The agent right around it.
    pub around: Option<u32>,
    /// The file that shows it.
    pub evidence: String,
}

/// What runs already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Agents, sorted by process.
    pub agents: Vec<Found>,
    /// Interpreters of which nothing shows yet whether they are agents.
    pub interpreters: Vec<u32>,
}

/// Most arguments of an interpreter that are tried as its script.
const SCRIPTS_MAX: usize = 8;

/// The agents among the processes below `scope` (a cgroup path such as `/canary`; `None`: all). An
/// agent inside another one of the same type is part of it. An agent that started this daemon,
/// `own_pid`, is left out: its session would hold the daemon too.
pub fn discover(
    procfs: &Procfs,
    signatures: &Signatures,
    scope: Option<&str>,
    own_pid: u32,
) -> Running {
    let mut processes: HashMap<u32, Process> = HashMap::new();
    for pid in procfs.pids() {
        if pid == own_pid {
            continue;
        }
        if let (Some(stat), Some(exe)) = (procfs.stat(pid), procfs.exe(pid))
            && in_scope(procfs, pid, scope)
        {
            let parent_pid = stat.parent_pid;
            processes.insert(pid, Process { parent_pid, exe });
        }
    }
    let own_ancestors = ancestors(procfs, own_pid);
    let mut shown: HashMap<u32, (String, String)> = HashMap::new();
    let mut interpreters = Vec::new();
    for (pid, process) in &processes {
        match recognise(procfs, signatures, *pid, &process.exe) {
            Shown::Nothing => {}
            Shown::Interpreter => interpreters.push(*pid),
            Shown::Agent(..) if own_ancestors.contains(pid) => {
                tracing::warn!(pid, "the agent that started this daemon is not governed");
            }
            Shown::Agent(number, evidence) => {
                if let Some(id) = signatures.id(number) {
                    shown.insert(*pid, (id.to_owned(), evidence));
                }
            }
        }
    }
    // What comes from this daemon's own side must not be looked at.
    interpreters.retain(|pid| !own_ancestors.contains(pid));
    interpreters.sort_unstable();
    let mut agents: Vec<Found> = shown
        .iter()
        .filter_map(|(pid, (agent_type, evidence))| {
            let around = agents_around(&processes, &shown, *pid);
            let (agent_types, around) = nested(&shown, agent_type, &around)?;
            let process = &processes[pid];
            Some(Found {
                pid: *pid,
                parent_pid: process.parent_pid,
                uid: procfs.uid(*pid).unwrap_or(0),
                exe: process.exe.clone(),
                agent_types,
                around,
                evidence: evidence.clone(),
            })
        })
        .collect();
    agents.sort_unstable_by_key(|agent| agent.pid);
    Running {
        agents,
        interpreters,
    }
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

struct Process {
    parent_pid: u32,
    exe: Vec<u8>,
}

/// The agents that an agent runs in, outermost first.
fn agents_around(
    processes: &HashMap<u32, Process>,
    shown: &HashMap<u32, (String, String)>,
    pid: u32,
) -> Vec<u32> {
    let mut around = Vec::new();
    let mut at = pid;
    // A process cannot be its own ancestor, but /proc is read while processes change.
    for _ in 0..processes.len() {
        let Some(process) = processes.get(&at) else {
            break;
        };
        at = process.parent_pid;
        if shown.contains_key(&at) {
            around.push(at);
        }
    }
    around.reverse();
    around
}

/// The types that hold in an agent inside others, and the one of these that is right around it;
/// `None`: an agent of its type is around it already, and it belongs to that one's session.
fn nested(
    shown: &HashMap<u32, (String, String)>,
    agent_type: &str,
    around: &[u32],
) -> Option<(Vec<String>, Option<u32>)> {
    let mut types: Vec<String> = Vec::new();
    let mut last = None;
    for pid in around {
        let outer = &shown[pid].0;
        if !types.contains(outer) {
            types.push(outer.clone());
            last = Some(*pid);
        }
    }
    if types.iter().any(|outer| outer == agent_type) {
        return None;
    }
    types.push(agent_type.to_owned());
    Some((types, last))
}

/// What a process is, as far as /proc shows.
enum Shown {
    Nothing,
    Interpreter,
    /// Number of the signature, and the file that shows it.
    Agent(u16, String),
}

fn recognise(procfs: &Procfs, signatures: &Signatures, pid: u32, exe: &[u8]) -> Shown {
    let by_exe = signatures.recognise(exe);
    if let Some(number) = by_exe.exe {
        return Shown::Agent(number, String::from_utf8_lossy(exe).into_owned());
    }
    if !by_exe.interpreter {
        return Shown::Nothing;
    }
    let mut files = scripts(procfs, pid).into_iter().chain(procfs.files(pid));
    let shown = files.find_map(|file| {
        let number = signatures.recognise(&file).open?;
        let evidence = String::from_utf8_lossy(&file).into_owned();
        Some(Shown::Agent(number, evidence))
    });
    shown.unwrap_or(Shown::Interpreter)
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
