//! `/api/v1/policies`.

use sha2::{Digest, Sha256};
use similar::TextDiff;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Call;
use super::error::{Failure, answer};
use super::tokens::text;
use crate::policy::switch::SwitchError;
use crate::server::db::VersionRow;
use crate::server::publish;
use crate::wire::rest::{
    ApplyAnswer, ApplyQuery, DiffQuery, PolicyDiff, PolicyDocument, PolicyList, PolicyQuery,
    PolicyVersion, PolicyVersionList, Role, RollbackRequest, SwitchRequest,
};

/// Lines around a change.
const CONTEXT_LINES: usize = 3;
/// Longest reason for a change.
pub(super) const REASON_CHARS_MAX: usize = 1_000;

pub(super) async fn apply(call: Call) -> Response {
    answer(keep(&call).await)
}

async fn keep(call: &Call) -> Result<ApplyAnswer, Failure> {
    let by = call.allow_change(Role::Operator)?;
    let query: ApplyQuery = call.query()?;
    let source = query.source.unwrap_or_default();
    let dry_run = query.dry_run.unwrap_or(false);
    Ok(publish::apply(&call.state.db, &by, &source, &call.body, dry_run).await?)
}

pub(super) async fn list(call: Call) -> Response {
    answer(all(&call).await)
}

async fn all(call: &Call) -> Result<PolicyList, Failure> {
    call.allow(Role::Viewer)?;
    let mut policies = call.state.db.policies().await?;
    for policy in &mut policies {
        policy.notice = publish::notice(&call.state.db, &policy.name).await?;
    }
    Ok(PolicyList { policies })
}

pub(super) async fn show(name: String, call: Call) -> Response {
    answer(one(&name, &call).await)
}

async fn one(name: &str, call: &Call) -> Result<PolicyDocument, Failure> {
    call.allow(Role::Viewer)?;
    let query: PolicyQuery = call.query()?;
    document(name, query.version, call).await
}

async fn document(
    name: &str,
    version: Option<u64>,
    call: &Call,
) -> Result<PolicyDocument, Failure> {
    let row = version_of(name, version, call).await?;
    Ok(PolicyDocument {
        name: name.to_owned(),
        version: about(&row),
        assignments: call.state.db.assignments(Some(name)).await?,
        yaml: row.yaml,
    })
}

/// A version of a policy, or 404 by the part that is missing.
pub(super) async fn version_of(
    name: &str,
    version: Option<u64>,
    call: &Call,
) -> Result<VersionRow, Failure> {
    if let Some(row) = call.state.db.policy(name, version).await? {
        return Ok(row);
    }
    let newest = call.state.db.policy(name, None).await?;
    Err(match (newest, version) {
        (Some(newest), Some(version)) => Failure::new(
            StatusCode::NOT_FOUND,
            format!(
                "policy `{name}` has no version {version}: its newest is {}",
                newest.version
            ),
        ),
        _ => Failure::not_found("policy", name),
    })
}

fn about(row: &VersionRow) -> PolicyVersion {
    PolicyVersion {
        version: row.version,
        sha256: hex::encode(Sha256::digest(&row.yaml)),
        rules: row.rules,
        created_at: row.created_at,
        created_by: row.created_by.clone(),
        rollback_of: row.rollback_of,
    }
}

pub(super) async fn versions(name: String, call: Call) -> Response {
    answer(history(name, &call).await)
}

async fn history(name: String, call: &Call) -> Result<PolicyVersionList, Failure> {
    call.allow(Role::Viewer)?;
    let rows = call.state.db.policy_versions(&name).await?;
    if rows.is_empty() {
        return Err(Failure::not_found("policy", &name));
    }
    Ok(PolicyVersionList {
        name,
        versions: rows.iter().map(about).collect(),
    })
}

pub(super) async fn diff(name: String, call: Call) -> Response {
    answer(compare(name, &call).await)
}

async fn compare(name: String, call: &Call) -> Result<PolicyDiff, Failure> {
    call.allow(Role::Viewer)?;
    let query: DiffQuery = call.query()?;
    let new = version_of(&name, query.to, call).await?;
    let from = query.from.unwrap_or(new.version - 1);
    let old = match from {
        0 => String::new(),
        version => version_of(&name, Some(version), call).await?.yaml,
    };
    let unified = TextDiff::from_lines(&old, &new.yaml)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(
            &format!("{name} version {from}"),
            &format!("{name} version {}", new.version),
        )
        .to_string();
    // Headers alone would look like a change.
    let unified = if old == new.yaml {
        String::new()
    } else {
        unified
    };
    Ok(PolicyDiff {
        name,
        from,
        to: new.version,
        unified,
    })
}

pub(super) async fn rollback(name: String, call: Call) -> Response {
    answer(bring_back(&name, &call).await)
}

async fn bring_back(name: &str, call: &Call) -> Result<PolicyDocument, Failure> {
    let by = call.allow_change(Role::Operator)?;
    let asked: RollbackRequest = call.json()?;
    version_of(name, Some(asked.version), call).await?;
    let done = call.state.db.roll_back(&by, name, asked.version).await?;
    let (version, _) = done.ok_or_else(|| Failure::not_found("policy", name))?;
    document(name, Some(version), call).await
}

pub(super) async fn switch(name: String, call: Call) -> Response {
    answer(switch_rule(&name, &call).await)
}

async fn switch_rule(name: &str, call: &Call) -> Result<PolicyDocument, Failure> {
    let by = call.allow_change(Role::Operator)?;
    let asked: SwitchRequest = call.json()?;
    text("reason", &asked.reason, 0, REASON_CHARS_MAX)?;
    let switched = publish::switch_rule(&call.state.db, &by, name, &asked).await?;
    let version = switched.ok_or_else(|| Failure::not_found("policy", name))?;
    let version = version.map_err(|error| match error {
        SwitchError::NoRule { .. } => Failure::new(StatusCode::NOT_FOUND, error.to_string()),
        _ => Failure::conflict(error.to_string()),
    })?;
    document(name, Some(version), call).await
}
