//! Table `enrollment_tokens`.

use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{By, record};
use super::pool::{begin, commit};
use super::query::{column, queries};
use super::{Database, DbError, NewHost, hosts};
use crate::wire::rest::{EnrollmentToken, TokenState};

queries! {
    CREATE = "enrollment_tokens/create";
    REDEEM = "enrollment_tokens/redeem";
    LIST = "enrollment_tokens/list";
    REVOKE = "enrollment_tokens/revoke";
}

impl Database {
    /// A new token, known only by its hash.
    pub async fn create_enrollment_token(
        &self,
        by: &By,
        secret_sha256: &[u8],
        description: &str,
        uses_max: u32,
        expires_in_s: u64,
    ) -> Result<EnrollmentToken, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let id = Uuid::now_v7();
        let uses = i32::try_from(uses_max).unwrap_or(i32::MAX);
        let seconds = expires_in_s as f64;
        let row = CREATE
            .one(
                &transaction,
                &[&id, &secret_sha256, &description, &uses, &by.who, &seconds],
            )
            .await?;
        let detail = json!({ "description": description, "uses_max": uses_max,
            "expires_in_s": expires_in_s });
        record(
            &transaction,
            by,
            "enrollment_token.create",
            &id.to_string(),
            detail,
        )
        .await?;
        commit(transaction).await?;
        token(&row)
    }

    /// Takes one use of a token and makes the host that `host` gives for it, or neither.
    /// `None`: the token is unknown, used up, expired or revoked.
    pub async fn redeem(
        &self,
        secret_sha256: &[u8],
        address: &str,
        host: &NewHost,
    ) -> Result<Option<()>, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = REDEEM.optional(&transaction, &[&secret_sha256]).await? else {
            return Ok(None);
        };
        let token: Uuid = column(&row, "id")?;
        let by = By {
            who: format!("enrollment-token:{token}"),
            address: address.to_owned(),
        };
        hosts::create(&transaction, &by, token, host).await?;
        commit(transaction).await?;
        Ok(Some(()))
    }

    /// All tokens, newest first.
    pub async fn enrollment_tokens(&self) -> Result<Vec<EnrollmentToken>, DbError> {
        LIST.rows(&self.client().await?, &[])
            .await?
            .iter()
            .map(token)
            .collect()
    }

    /// Ends a token; false when it is unknown.
    pub async fn revoke_enrollment_token(&self, by: &By, id: Uuid) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        if REVOKE.optional(&transaction, &[&id]).await?.is_none() {
            return Ok(false);
        }
        record(
            &transaction,
            by,
            "enrollment_token.revoke",
            &id.to_string(),
            json!({}),
        )
        .await?;
        commit(transaction).await?;
        Ok(true)
    }
}

fn token(row: &Row) -> Result<EnrollmentToken, DbError> {
    let number = |name| column::<i32>(row, name).map(i32::unsigned_abs);
    Ok(EnrollmentToken {
        id: column(row, "id")?,
        description: column(row, "description")?,
        uses: number("uses")?,
        uses_max: number("uses_max")?,
        created_at: column(row, "created_at")?,
        created_by: column(row, "created_by")?,
        expires_at: column(row, "expires_at")?,
        state: state(row)?,
    })
}

/// The state that a list computes.
pub(super) fn state(row: &Row) -> Result<TokenState, DbError> {
    match column::<&str>(row, "state")? {
        "valid" => Ok(TokenState::Valid),
        "used_up" => Ok(TokenState::UsedUp),
        "expired" => Ok(TokenState::Expired),
        "revoked" => Ok(TokenState::Revoked),
        other => Err(DbError::Value {
            column: "state",
            value: other.to_owned(),
        }),
    }
}
