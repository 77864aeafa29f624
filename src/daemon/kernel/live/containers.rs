//! The mount tables of containers that agents run in.
//!
//! What an agent mounts in a namespace of its own has no name here, and what has no name matches
//! every deny rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::daemon::kernel::KernelError;
use crate::kernel::load::Programs;
use crate::kernel::mounts::namespaces::{self, Doubt, NAMESPACES_MAX, Namespace};
use crate::kernel::mounts::{MountWatch, Mounts};

use super::said;

/// Namespaces of live sessions, without the host's own.
pub(super) struct Containers {
    /// 0: not visible; then no container is believed.
    host: u32,
    /// Believed, by number.
    known: Mutex<BTreeMap<u32, Arc<Namespace>>>,
    has_changed: AtomicBool,
}

impl Containers {
    pub(super) fn new() -> Containers {
        Containers {
            host: namespaces::host_number().unwrap_or_default(),
            known: Mutex::default(),
            has_changed: AtomicBool::new(false),
        }
    }

    /// What is mounted in each namespace. One that cannot be read has no mounts.
    pub(super) fn mounts(&self) -> Vec<Mounts> {
        let namespaces = self.lock().clone();
        let read = namespaces.values().filter_map(|namespace| {
            let mounts = namespace.mounts();
            mounts
                .inspect_err(|error| tracing::warn!(%error, "a container's mounts"))
                .ok()
        });
        read.collect()
    }

    pub(super) fn watches(&self) -> Vec<MountWatch> {
        let known = self.lock();
        known
            .values()
            .filter_map(|namespace| namespace.watch().ok())
            .collect()
    }

    /// Whether a session began in a container since the last call.
    pub(super) fn have_changed(&self) -> bool {
        self.has_changed.swap(false, Ordering::Relaxed)
    }

    /// Notes a session that has just begun with this process.
    pub(super) fn started(&self, pid: u32) {
        if let Ok(number) = namespaces::number(pid)
            && number != self.host
        {
            self.has_changed.store(true, Ordering::Relaxed);
        }
    }

    /// Finds the namespaces of all sessions that live, and forgets the others. Gives what is not
    /// covered, one sentence each.
    pub(super) fn refresh(&self, programs: &Programs) -> Result<Vec<String>, KernelError> {
        let mut wanted = BTreeMap::<u32, u32>::new();
        for pid in members(programs)? {
            match namespaces::number(pid) {
                Ok(number) if number != self.host && self.host != 0 => {
                    wanted.entry(number).or_insert(pid);
                }
                // Ended since, or on the host.
                _ => {}
            }
        }
        let mut known = self.lock().clone();
        for gone in known.keys().filter(|number| !wanted.contains_key(number)) {
            programs.doubt(*gone).map_err(said)?;
        }
        known.retain(|number, _| wanted.contains_key(number));
        let mut doubts = BTreeSet::new();
        let mut is_full = false;
        for (number, pid) in wanted {
            if known.contains_key(&number) {
                continue;
            }
            if known.len() >= NAMESPACES_MAX {
                is_full = true;
                continue;
            }
            match believed(programs, pid)? {
                Some(Ok(namespace)) => {
                    known.insert(namespace.number(), Arc::new(namespace));
                }
                Some(Err(doubt)) => {
                    doubts.insert(doubt);
                }
                None => {}
            }
        }
        *self.lock() = known;
        let mut limits: Vec<String> = doubts.into_iter().map(sentence).collect();
        if is_full {
            limits.push(format!(
                "agents run in more than {NAMESPACES_MAX} containers: paths inside the others \
                 are not matched"
            ));
        }
        Ok(limits)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Namespace>>> {
        self.known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Processes of sessions; the first ones of each come first.
fn members(programs: &Programs) -> Result<Vec<u32>, KernelError> {
    let sessions = programs.sessions().map_err(said)?;
    let mut members: Vec<u32> = sessions
        .iter()
        .map(|(_, session)| session.root_tgid)
        .collect();
    let numbers: BTreeSet<u64> = sessions.iter().map(|(number, _)| *number).collect();
    let tasks = programs.live_tasks().map_err(said)?;
    let others: BTreeSet<u32> = tasks
        .iter()
        .filter(|task| numbers.contains(&task.session))
        .map(|task| task.tgid)
        .collect();
    members.retain(|root| others.contains(root));
    members.extend(others);
    Ok(members)
}

/// The namespace that a process is in; `None` when the process is gone.
fn believed(
    programs: &Programs,
    pid: u32,
) -> Result<Option<Result<Namespace, Doubt>>, KernelError> {
    match Namespace::of(pid) {
        Ok(Ok(namespace)) => {
            let is_believed = programs.believe(namespace.number()).map_err(said)?;
            Ok(Some(if is_believed {
                Ok(namespace)
            } else {
                Err(Doubt::Agents)
            }))
        }
        Ok(Err(doubt)) => Ok(Some(Err(doubt))),
        Err(error) => {
            tracing::debug!(%error, pid, "a container's mounts are not known");
            Ok(None)
        }
    }
}

fn sentence(doubt: Doubt) -> String {
    match doubt {
        Doubt::UserNamespace => {
            "an agent runs in a user namespace of its own: paths that exist only there are not \
             matched, and what is mounted only there counts as not known"
        }
        Doubt::Agents => {
            "an agent mounts in a namespace of its own: paths that exist only there are not \
             matched, and what is mounted only there counts as not known"
        }
    }
    .to_owned()
}
