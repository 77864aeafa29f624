//! Table `changes`: every administrative change, in the transaction that makes it.

use deadpool_postgres::GenericClient;
use serde_json::Value;
use tokio_postgres::Row;

use super::query::{column, count, queries, signed};
use super::{Database, DbError};
use crate::wire::rest::Change;

queries! {
    RECORD = "changes/record";
    PAGE = "changes/page";
}

/// Who makes a change, and from where.
#[derive(Clone, Debug)]
pub struct By {
    /// Name of an API token, `enrollment-token:UUID`, or `server`.
    pub who: String,
    /// Address of the connection; empty for the server itself.
    pub address: String,
}

impl By {
    /// The server itself.
    pub fn server() -> By {
        By {
            who: "server".to_owned(),
            address: String::new(),
        }
    }
}

/// Records that `by` did `what` to `object`.
pub(super) async fn record(
    on: &impl GenericClient,
    by: &By,
    what: &str,
    object: &str,
    detail: Value,
) -> Result<(), DbError> {
    RECORD
        .execute(on, &[&by.who, &by.address, &what, &object, &detail])
        .await?;
    Ok(())
}

impl Database {
    /// Changes before an id, newest first.
    pub async fn changes(&self, before: Option<u64>, limit: u32) -> Result<Vec<Change>, DbError> {
        let before = before.map(signed);
        let rows = PAGE
            .rows(&self.client().await?, &[&before, &i64::from(limit)])
            .await?;
        rows.iter().map(change).collect()
    }
}

fn change(row: &Row) -> Result<Change, DbError> {
    Ok(Change {
        id: count(row, "id")?,
        time: column(row, "time")?,
        who: column(row, "who")?,
        address: column(row, "address")?,
        what: column(row, "what")?,
        object: column(row, "object")?,
        detail: column(row, "detail")?,
    })
}
