//! Policies on their way in: checked by the library that everyone uses, kept as versions, and told
//! of what hosts do not enforce of them.

use crate::model::action::Action;
use crate::policy::builtin::{self, Builtin};
use crate::policy::load::{LoadOptions, Source, load};
use crate::policy::problem::Problem;
use crate::policy::rule::Policy;
use crate::policy::switch::{self, SwitchError};
use crate::wire::rest::{
    AppliedPolicy, ApplyAnswer, Assignment, Enforcement, Host, HostLimit, SwitchRequest, Target,
};

use super::db::{By, Database, DbError, Edit, NewVersion, Seeded, newest_text};

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
    let versions: Vec<NewVersion> = loaded.policies.iter().map(new_version).collect();
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

fn new_version(source: &Source) -> NewVersion {
    NewVersion {
        name: source.policy.name.clone(),
        yaml: source.text.clone(),
        description: source.policy.description.clone(),
        rules: u32::try_from(source.policy.rules.len()).unwrap_or(u32::MAX),
    }
}

/// The only policy of a text.
fn one_version(text: &str) -> Result<NewVersion, SwitchError> {
    let loaded = load("", text.as_bytes(), &LoadOptions::default());
    match loaded.map(|loaded| loaded.policies).as_deref() {
        Ok([source]) => Ok(new_version(source)),
        _ => Err(SwitchError::NoPolicy),
    }
}

/// Keeps the built-in policies, each in the text of this server.
///
/// # Errors
///
/// The database refuses.
pub async fn seed(db: &Database, texts: &[Builtin]) -> Result<(), DbError> {
    for builtin in texts {
        let Ok(text) = one_version(builtin.text) else {
            tracing::error!(policy = builtin.name, "a built-in policy is not valid");
            continue;
        };
        let policy = builtin.name;
        match db.seed_policy(&text).await? {
            Seeded::Known => {}
            Seeded::Created => tracing::info!(policy, "a built-in policy holds on all hosts"),
            Seeded::Updated { version } => {
                tracing::info!(policy, version, "a built-in policy has a newer text");
            }
            Seeded::Kept { version } => tracing::warn!(
                policy,
                version,
                "a built-in policy was edited, so its newer text is kept and does not hold"
            ),
        }
    }
    Ok(())
}

/// Switches a rule in the newest version of a policy, which makes the next one. `None`: the
/// policy is unknown.
///
/// # Errors
///
/// The database refuses.
pub async fn switch_rule(
    db: &Database,
    by: &By,
    name: &str,
    asked: &SwitchRequest,
) -> Result<Option<Result<u64, SwitchError>>, DbError> {
    let edit = Edit {
        what: match asked.enabled {
            true => "policy.enable_rule",
            false => "policy.disable_rule",
        },
        rule: asked.rule.clone(),
        reason: asked.reason.clone(),
    };
    db.edit_policy(by, name, &edit, |text| {
        one_version(&switch::set(text, &asked.rule, asked.enabled)?)
    })
    .await
}

/// What is to be said about a policy in a list: a built-in text that does not hold.
///
/// # Errors
///
/// The database refuses.
pub async fn notice(db: &Database, name: &str) -> Result<Option<String>, DbError> {
    if builtin::named(name).is_none() {
        return Ok(None);
    }
    let versions = db.policy_versions(name).await?;
    let (Some(current), Some(text)) = (versions.first(), newest_text(&versions)) else {
        return Ok(None);
    };
    if switch::differ_by_switches_only(&current.yaml, &text.yaml) {
        return Ok(None);
    }
    let number = builtin::number_of(&text.yaml);
    Ok(Some(format!(
        "`{name}` is not the text that comes with Tyr: text {number} is version {} of its history",
        text.version
    )))
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
