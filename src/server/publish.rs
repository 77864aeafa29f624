//! Policies on their way in: checked by the library that everyone uses, kept as versions, and told
//! of what hosts do not enforce of them.

use crate::model::action::Action;
use crate::policy::load::{LoadOptions, load};
use crate::policy::problem::Problem;
use crate::policy::rule::Policy;
use crate::wire::rest::{
    AppliedPolicy, ApplyAnswer, Assignment, Enforcement, Host, HostLimit, Target,
};

use super::db::{By, Database, DbError, NewVersion};

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the policy is not valid")]
    Refused(Vec<Problem>),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Checks the policies of a file and keeps them, all or none. `source` names the file in problems.
///
/// # Errors
///
/// `Refused` with everything that is wrong.
pub async fn apply(
    db: &Database,
    by: &By,
    source: &str,
    bytes: &[u8],
    dry_run: bool,
) -> Result<ApplyAnswer, PublishError> {
    let loaded = load(source, bytes, &LoadOptions::default()).map_err(PublishError::Refused)?;
    let versions: Vec<NewVersion> = loaded
        .policies
        .iter()
        .map(|source| NewVersion {
            name: source.policy.name.clone(),
            yaml: source.text.clone(),
            description: source.policy.description.clone(),
            rules: u32::try_from(source.policy.rules.len()).unwrap_or(u32::MAX),
        })
        .collect();
    let outcomes = db.apply_policies(by, &versions, dry_run).await?;
    let hosts = db.hosts(None, None).await?;
    let mut answer = ApplyAnswer {
        dry_run,
        policies: Vec::new(),
        warnings: loaded.warnings,
        limits: Vec::new(),
    };
    for (source, (version, outcome)) in loaded.policies.iter().zip(outcomes) {
        let name = source.policy.name.clone();
        let assignments = db.assignments(Some(&name)).await?;
        let bound = hosts
            .iter()
            .filter(|host| assignments.iter().any(|a| holds(a, host)));
        answer.limits.extend(limits(&source.policy, bound));
        let assignments = assignments.len() as u64;
        answer.policies.push(AppliedPolicy {
            name,
            version,
            outcome,
            assignments,
        });
    }
    Ok(answer)
}

/// What hosts do not enforce of a policy that is kept. A text that no longer loads has no limits
/// to tell: hosts that cannot load it say so in their heartbeats.
pub fn limits_of(yaml: &str, hosts: &[Host]) -> Vec<HostLimit> {
    let loaded = load("", yaml.as_bytes(), &LoadOptions::default());
    let policies = loaded.map(|loaded| loaded.policies).unwrap_or_default();
    policies
        .iter()
        .flat_map(|source| limits(&source.policy, hosts.iter()))
        .collect()
}

/// Whether an assignment is for a host.
pub fn holds(assignment: &Assignment, host: &Host) -> bool {
    host.revoked_at.is_none()
        && match &assignment.target {
            Target::All => true,
            Target::Host { host: id } => *id == host.id.to_string(),
            Target::Label { key, value } => host.labels.get(key) == Some(value),
        }
}

fn limits<'a>(policy: &Policy, hosts: impl Iterator<Item = &'a Host>) -> Vec<HostLimit> {
    let mut limits = Vec::new();
    for rule in policy
        .rules
        .iter()
        .filter(|rule| rule.action == Action::TlsConnect)
    {
        limits.push(HostLimit {
            host_id: None,
            hostname: String::new(),
            policy: policy.name.clone(),
            rule: Some(rule.name.clone()),
            reason: "tls_connect is enforced only by hosts that run with --tls-capture".to_owned(),
        });
    }
    for host in hosts {
        let Some(reason) = host_limit(host) else {
            continue;
        };
        limits.push(HostLimit {
            host_id: Some(host.id),
            hostname: host.hostname.clone(),
            policy: policy.name.clone(),
            rule: None,
            reason,
        });
    }
    limits
}

/// Why a host does not enforce everything, in its own words where it gave some.
fn host_limit(host: &Host) -> Option<String> {
    let said = match host.enforcement {
        Enforcement::Lsm => return None,
        Enforcement::FmodRet => "the host enforces in degraded mode (fmod_ret)",
        Enforcement::Observe => "the host only observes: nothing is blocked",
        Enforcement::Unknown => "the host has not said yet how it enforces",
    };
    let why = host.limits.join("; ");
    Some(if why.is_empty() {
        said.to_owned()
    } else {
        format!("{said}: {why}")
    })
}
