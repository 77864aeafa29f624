//! Table `break_glass`.

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{By, record};
use super::pool::{begin, commit};
use super::query::{column, queries, signed};
use super::{Database, DbError, policies};
use crate::wire::rest::BreakGlass;

queries! {
    START = "break_glass/start";
    END = "break_glass/end";
}

impl Database {
    /// Lets a host report deny verdicts without enforcing them for a while.
    pub async fn start_break_glass(
        &self,
        by: &By,
        host: Uuid,
        seconds: u64,
        reason: &str,
    ) -> Result<(), DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let values: super::query::Values<'_> = &[&host, &signed(seconds), &reason, &by.who];
        let row = START.one(&transaction, values).await?;
        let ends_at: Timestamp = column(&row, "ends_at")?;
        let detail = json!({ "ends_at": ends_at, "reason": reason });
        let object = host.to_string();
        record(&transaction, by, "break_glass.start", &object, detail).await?;
        policies::bump(&transaction).await?;
        commit(transaction).await
    }

    /// Ends it early; false when there was none.
    pub async fn end_break_glass(&self, by: &By, host: Uuid) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = END.optional(&transaction, &[&host]).await? else {
            return Ok(false);
        };
        if !column::<bool>(&row, "held")? {
            return Ok(false);
        }
        let object = host.to_string();
        record(&transaction, by, "break_glass.end", &object, json!({})).await?;
        policies::bump(&transaction).await?;
        commit(transaction).await?;
        Ok(true)
    }
}

/// What a row of a host says of it; `None`: nothing holds now.
pub(super) fn of_row(row: &Row) -> Result<Option<BreakGlass>, DbError> {
    let Some(ends_at) = column::<Option<Timestamp>>(row, "break_glass_ends_at")? else {
        return Ok(None);
    };
    Ok(Some(BreakGlass {
        ends_at,
        reason: column(row, "break_glass_reason")?,
        started_by: column(row, "break_glass_started_by")?,
    }))
}
