//! Sets of policies: from the server's message or from files to what can be put in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};
use crate::model::verdict::Mode;
use crate::policy::rule::Effective;
use crate::policy::{LoadOptions, load, resolve_symlinks};
use crate::wire::proto;

use super::break_glass::BreakGlass;

/// A whole set as the server sent it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// 0: no set of a server.
    pub revision: u64,
    pub policies: Vec<Assigned>,
    /// Set while nothing of it is to be enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
}

/// One policy of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    pub name: String,
    pub version: u64,
    pub yaml: String,
    pub mode: Mode,
    /// Empty: every agent.
    pub agent_types: Vec<String>,
}

/// Reads a set of the server. Every problem of every policy comes back at once.
///
/// # Errors
///
/// A policy is not valid to this daemon, or says another name than the server.
pub fn from_message(message: proto::PolicySet) -> Result<Set, Vec<String>> {
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    for assigned in message.policies {
        // A mode of a later protocol must not turn into one that blocks less.
        let mode = match proto::Mode::try_from(assigned.mode) {
            Ok(proto::Mode::Enforce) => Mode::Enforce,
            Ok(proto::Mode::Monitor) => Mode::Monitor,
            _ => {
                problems.push(format!(
                    "policy `{}` has mode {}, which this daemon does not know",
                    assigned.name, assigned.mode
                ));
                continue;
            }
        };
        policies.push(Assigned {
            name: assigned.name,
            version: assigned.version,
            yaml: assigned.yaml,
            mode,
            agent_types: assigned.agent_types,
        });
    }
    if problems.is_empty() {
        Ok(Set {
            revision: message.revision,
            policies,
            break_glass: message.break_glass.map(BreakGlass::from_message),
        })
    } else {
        Err(problems)
    }
}

/// Checks the set and finds the real paths on this host.
///
/// # Errors
///
/// All problems of all policies, one sentence each.
pub fn effective(set: &Set, agent_types: &[String]) -> Result<Arc<Vec<Effective>>, Vec<String>> {
    let options = LoadOptions {
        agent_types: Some(agent_types),
    };
    let mut problems = Vec::new();
    let mut effective = Vec::new();
    for assigned in &set.policies {
        let source = format!("{}@{}", assigned.name, assigned.version);
        let mut loaded = match load(&source, assigned.yaml.as_bytes(), &options) {
            Ok(loaded) => loaded,
            Err(found) => {
                let errors = found.iter().filter(|problem| !problem.warning);
                problems.extend(errors.map(ToString::to_string));
                continue;
            }
        };
        if loaded.policies.len() != 1 || loaded.policies[0].policy.name != assigned.name {
            problems.push(format!(
                "{source}: expected the one policy `{}`",
                assigned.name
            ));
            continue;
        }
        let mut policy = loaded.policies.remove(0).policy;
        resolve_symlinks(&mut policy, &|path: &Path| std::fs::canonicalize(path).ok());
        effective.push(Effective {
            policy: Arc::new(policy),
            version: assigned.version,
            mode: assigned.mode,
            agent_types: assigned.agent_types.clone(),
        });
    }
    if problems.is_empty() {
        Ok(Arc::new(effective))
    } else {
        Err(problems)
    }
}

/// The set of a daemon without a server: every policy of the files, enforced for every agent.
///
/// # Errors
///
/// A file cannot be read, or a policy in it is not valid.
pub fn from_files(files: &[PathBuf], agent_types: &[String]) -> Result<Set, Failure> {
    let options = LoadOptions {
        agent_types: Some(agent_types),
    };
    let mut set = Set::default();
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| {
            Failure::caused(
                Exit::NoInput,
                format!("cannot read {}", path.display()),
                &error,
            )
        })?;
        let loaded = load(&path.display().to_string(), &bytes, &options).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(
                Exit::Data,
                format!("the policy is not valid\n{}", lines.join("\n")),
            )
        })?;
        for source in loaded.policies {
            if set
                .policies
                .iter()
                .any(|other| other.name == source.policy.name)
            {
                return Err(Failure::new(
                    Exit::Data,
                    format!("policy `{}` is given twice", source.policy.name),
                ));
            }
            set.policies.push(Assigned {
                name: source.policy.name,
                version: 1,
                yaml: source.text,
                mode: Mode::Enforce,
                agent_types: Vec::new(),
            });
        }
    }
    Ok(set)
}

/// `name@version` of each policy, in the order of evaluation.
pub fn names(set: &Set) -> Vec<String> {
    set.policies
        .iter()
        .map(|policy| format!("{}@{}", policy.name, policy.version))
        .collect()
}
