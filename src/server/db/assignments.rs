//! Table `assignments`.

use deadpool_postgres::GenericClient;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{By, record};
use super::pool::{begin, commit};
use super::query::{column, count_or_null, named, queries, signed};
use super::{Database, DbError, policies};
use crate::model::verdict::Mode;
use crate::wire::rest::{Assignment, Target};

queries! {
    PUT = "assignments/put";
    DELETE = "assignments/delete";
    LIST = "assignments/list";
}

/// Which hosts, with a host already found.
#[derive(Clone, Debug)]
pub enum TargetRow {
    All,
    Host(Uuid),
    Label { key: String, value: String },
}

/// A policy to assign.
#[derive(Clone, Debug)]
pub struct NewAssignment {
    pub policy: String,
    pub version: Option<u64>,
    pub target: TargetRow,
    pub agent_types: Vec<String>,
    pub mode: Mode,
}

impl Database {
    /// Assigns a policy that exists in that version, in place of an assignment of it to the same
    /// target and agent types.
    pub async fn assign(&self, by: &By, new: &NewAssignment) -> Result<Assignment, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let assigned = put(&transaction, by, new).await?;
        policies::bump(&transaction).await?;
        commit(transaction).await?;
        Ok(assigned)
    }

    /// Ends an assignment; false when it is unknown.
    pub async fn unassign(&self, by: &By, id: Uuid) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = DELETE.optional(&transaction, &[&id]).await? else {
            return Ok(false);
        };
        let ended = assignment(&row)?;
        record(
            &transaction,
            by,
            "policy.unassign",
            &ended.policy,
            json!(ended),
        )
        .await?;
        policies::bump(&transaction).await?;
        commit(transaction).await?;
        Ok(true)
    }

    /// Assignments, of one policy or of all.
    pub async fn assignments(&self, policy: Option<&str>) -> Result<Vec<Assignment>, DbError> {
        LIST.rows(&self.client().await?, &[&policy])
            .await?
            .iter()
            .map(assignment)
            .collect()
    }
}

/// Assigns in a transaction that counts the change.
pub(super) async fn put(
    on: &impl GenericClient,
    by: &By,
    new: &NewAssignment,
) -> Result<Assignment, DbError> {
    let (kind, host, key, value) = match &new.target {
        TargetRow::All => ("all", None, None, None),
        TargetRow::Host(id) => ("host", Some(*id), None, None),
        TargetRow::Label { key, value } => ("label", None, Some(key), Some(value)),
    };
    let mut types = new.agent_types.clone();
    types.sort();
    types.dedup();
    let row = PUT
        .one(
            on,
            &[
                &Uuid::now_v7(),
                &new.policy,
                &new.version.map(signed),
                &kind,
                &host,
                &key,
                &value,
                &types,
                &new.mode.name(),
                &by.who,
            ],
        )
        .await?;
    let assigned = assignment(&row)?;
    record(on, by, "policy.assign", &new.policy, json!(assigned)).await?;
    Ok(assigned)
}

fn assignment(row: &Row) -> Result<Assignment, DbError> {
    let target = match column::<&str>(row, "target")? {
        "all" => Target::All,
        "host" => Target::Host {
            host: column::<Uuid>(row, "host_id")?.to_string(),
        },
        "label" => Target::Label {
            key: column(row, "label_key")?,
            value: column(row, "label_value")?,
        },
        other => {
            return Err(DbError::Value {
                column: "target",
                value: other.to_owned(),
            });
        }
    };
    Ok(Assignment {
        id: column(row, "id")?,
        policy: column(row, "policy")?,
        version: count_or_null(row, "version")?,
        target,
        agent_types: column(row, "agent_types")?,
        mode: named(row, "mode")?,
        created_at: column(row, "created_at")?,
        created_by: column(row, "created_by")?,
    })
}
