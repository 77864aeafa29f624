//! Tables `policies`, `policy_versions` and `policy_revision`.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{By, record};
use super::pool::{begin, commit};
use super::query::{column, count, count_or_null, named, queries, signed};
use super::{Database, DbError, break_glass};
use crate::model::verdict::Mode;
use crate::wire::rest::{ApplyOutcome, BreakGlass, PolicySummary};

queries! {
    LOCK = "policies/lock";
    CREATE = "policies/create";
    ADVANCE = "policies/advance";
    ADD_VERSION = "policies/add_version";
    LIST = "policies/list";
    SHOW = "policies/show";
    VERSIONS = "policies/versions";
    BUMP = "policies/bump";
    REVISION = "policies/revision";
    FOR_HOST = "policies/for_host";
}

/// A checked policy to keep.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub name: String,
    pub yaml: String,
    pub description: String,
    pub rules: u32,
}

/// A change inside a text, as it is recorded.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Such as `policy.disable_rule`.
    pub what: &'static str,
    pub rule: String,
    pub reason: String,
}

impl Edit {
    fn detail(&self, version: u64) -> serde_json::Value {
        json!({ "version": version, "rule": self.rule, "reason": self.reason })
    }
}

/// One version with its text.
#[derive(Clone, Debug)]
pub struct VersionRow {
    pub version: u64,
    pub yaml: String,
    pub rules: u32,
    pub rollback_of: Option<u64>,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// One policy that holds for a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    pub policy: String,
    pub version: u64,
    pub yaml: String,
    pub mode: Mode,
    pub agent_types: Vec<String>,
}

/// All that holds for a host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPolicies {
    pub revision: u64,
    pub policies: Vec<Assigned>,
    pub break_glass: Option<BreakGlass>,
}

/// Counts a change of what holds anywhere; servers hear of it on commit.
pub(super) async fn bump(on: &impl GenericClient) -> Result<u64, DbError> {
    count(&BUMP.one(on, &[]).await?, "revision")
}

impl Database {
    /// Keeps checked policies, all or none: a new version of each whose text is not that of its
    /// newest version. Gives the version that the text of each has now.
    pub async fn apply_policies(
        &self,
        by: &By,
        policies: &[NewVersion],
        dry_run: bool,
    ) -> Result<Vec<(u64, ApplyOutcome)>, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        // Rows are locked in the order of names, so that two applies cannot lock each other out.
        let mut order: Vec<usize> = (0..policies.len()).collect();
        order.sort_by_key(|&index| &policies[index].name);
        let mut done = vec![(0, ApplyOutcome::Unchanged); policies.len()];
        for index in order {
            done[index] = apply(&transaction, by, &policies[index], None, None).await?;
        }
        if dry_run {
            return Ok(done);
        }
        if done
            .iter()
            .any(|(_, outcome)| *outcome == ApplyOutcome::Updated)
        {
            bump(&transaction).await?;
        }
        commit(transaction).await?;
        Ok(done)
    }

    /// Makes a new version with the text of an old one; `None` when there is no such version.
    pub async fn roll_back(
        &self,
        by: &By,
        name: &str,
        version: u64,
    ) -> Result<Option<(u64, ApplyOutcome)>, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = SHOW
            .optional(&transaction, &[&name, &Some(signed(version))])
            .await?
        else {
            return Ok(None);
        };
        let old = NewVersion {
            name: name.to_owned(),
            yaml: column(&row, "yaml")?,
            description: column(&row, "description")?,
            rules: column::<i32>(&row, "rules")?.unsigned_abs(),
        };
        let done = apply(&transaction, by, &old, Some(version), None).await?;
        if done.1 != ApplyOutcome::Unchanged {
            bump(&transaction).await?;
        }
        commit(transaction).await?;
        Ok(Some(done))
    }

    /// Policies by name.
    pub async fn policies(&self) -> Result<Vec<PolicySummary>, DbError> {
        LIST.rows(&self.client().await?, &[])
            .await?
            .iter()
            .map(summary)
            .collect()
    }

    /// One version, or the newest.
    pub async fn policy(
        &self,
        name: &str,
        version: Option<u64>,
    ) -> Result<Option<VersionRow>, DbError> {
        let values: super::query::Values<'_> = &[&name, &version.map(signed)];
        let row = SHOW.optional(&self.client().await?, values).await?;
        row.as_ref().map(version_row).transpose()
    }

    /// Versions of a policy, newest first; none when it is unknown.
    pub async fn policy_versions(&self, name: &str) -> Result<Vec<VersionRow>, DbError> {
        versions(&self.client().await?, name).await
    }

    /// Makes the next version of a policy from its newest one; `None` when it is unknown.
    pub async fn edit_policy<E>(
        &self,
        by: &By,
        name: &str,
        edit: &Edit,
        change: impl FnOnce(&str) -> Result<NewVersion, E>,
    ) -> Result<Option<Result<u64, E>>, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(newest) = lock(&transaction, name).await? else {
            return Ok(None);
        };
        let new = match change(&newest.yaml) {
            Ok(new) => new,
            Err(error) => return Ok(Some(Err(error))),
        };
        let (version, outcome) = apply(&transaction, by, &new, None, Some(edit)).await?;
        if outcome != ApplyOutcome::Unchanged {
            bump(&transaction).await?;
        }
        commit(transaction).await?;
        Ok(Some(Ok(version)))
    }

    /// The newest revision of what holds anywhere.
    pub async fn policy_revision(&self) -> Result<u64, DbError> {
        count(&REVISION.one(&self.client().await?, &[]).await?, "revision")
    }

    /// What holds for a host; `None` when it is unknown or revoked.
    pub async fn policies_for_host(&self, id: Uuid) -> Result<Option<HostPolicies>, DbError> {
        let rows = FOR_HOST.rows(&self.client().await?, &[&id]).await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let mut holds = HostPolicies {
            revision: count(first, "revision")?,
            policies: Vec::new(),
            break_glass: break_glass::of_row(first)?,
        };
        for row in &rows {
            let Some(policy) = column::<Option<String>>(row, "policy")? else {
                continue;
            };
            holds.policies.push(Assigned {
                policy,
                version: count(row, "version")?,
                yaml: column(row, "yaml")?,
                mode: named(row, "mode")?,
                agent_types: column(row, "agent_types")?,
            });
        }
        Ok(Some(holds))
    }
}

pub(super) async fn apply(
    on: &impl GenericClient,
    by: &By,
    new: &NewVersion,
    rollback_of: Option<u64>,
    edit: Option<&Edit>,
) -> Result<(u64, ApplyOutcome), DbError> {
    let created = CREATE.optional(on, &[&new.name]).await?.is_some();
    let (version, outcome) = if created {
        (1, ApplyOutcome::Created)
    } else {
        let newest = LOCK.one(on, &[&new.name]).await?;
        let version = count(&newest, "version")?;
        let text = SHOW.one(on, &[&new.name, &Some(signed(version))]).await?;
        if column::<&str>(&text, "yaml")? == new.yaml {
            return Ok((version, ApplyOutcome::Unchanged));
        }
        (version + 1, ApplyOutcome::Updated)
    };
    let rules = i32::try_from(new.rules).unwrap_or(i32::MAX);
    let number = signed(version);
    ADD_VERSION
        .execute(
            on,
            &[
                &new.name,
                &number,
                &new.yaml,
                &new.description,
                &rules,
                &rollback_of.map(signed),
                &by.who,
            ],
        )
        .await?;
    ADVANCE.execute(on, &[&new.name, &number]).await?;
    let (what, detail) = match (edit, rollback_of) {
        (Some(edit), _) => (edit.what, edit.detail(version)),
        (None, None) => ("policy.apply", json!({ "version": version })),
        (None, Some(old)) => (
            "policy.rollback",
            json!({ "version": version, "rollback_of": old }),
        ),
    };
    record(on, by, what, &new.name, detail).await?;
    Ok((version, outcome))
}

/// Locks a policy and gives its newest version; `None` when it is unknown.
pub(super) async fn lock(
    on: &impl GenericClient,
    name: &str,
) -> Result<Option<VersionRow>, DbError> {
    let Some(newest) = LOCK.optional(on, &[&name]).await? else {
        return Ok(None);
    };
    let version = signed(count(&newest, "version")?);
    let row = SHOW.one(on, &[&name, &Some(version)]).await?;
    version_row(&row).map(Some)
}

/// Versions of a policy, newest first.
pub(super) async fn versions(
    on: &impl GenericClient,
    name: &str,
) -> Result<Vec<VersionRow>, DbError> {
    let rows = VERSIONS.rows(on, &[&name]).await?;
    rows.iter().map(version_row).collect()
}

fn version_row(row: &Row) -> Result<VersionRow, DbError> {
    Ok(VersionRow {
        version: count(row, "version")?,
        yaml: column(row, "yaml")?,
        rules: column::<i32>(row, "rules")?.unsigned_abs(),
        rollback_of: count_or_null(row, "rollback_of")?,
        created_at: column(row, "created_at")?,
        created_by: column(row, "created_by")?,
    })
}

fn summary(row: &Row) -> Result<PolicySummary, DbError> {
    Ok(PolicySummary {
        name: column(row, "name")?,
        description: column(row, "description")?,
        version: count(row, "version")?,
        rules: column::<i32>(row, "rules")?.unsigned_abs(),
        assignments: count(row, "assignments")?,
        created_at: column(row, "created_at")?,
        updated_at: column(row, "updated_at")?,
        updated_by: column(row, "updated_by")?,
        notice: None,
    })
}
