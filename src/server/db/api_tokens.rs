//! Table `api_tokens`.

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{By, record};
use super::enrollment_tokens::state;
use super::pool::{begin, commit};
use super::query::{column, named, queries};
use super::{Database, DbError};
use crate::wire::rest::{ApiToken, Role};

queries! {
    CREATE = "api_tokens/create";
    CREATE_FIRST = "api_tokens/create_first";
    AUTHENTICATE = "api_tokens/authenticate";
    LIST = "api_tokens/list";
    REVOKE = "api_tokens/revoke";
}

/// Whom a token stands for.
#[derive(Clone, Debug)]
pub struct Principal {
    pub name: String,
    pub role: Role,
    pub expires_at: Option<Timestamp>,
}

impl Database {
    /// The first administrator's token; false when there has ever been a token.
    pub async fn create_first_token(&self, secret_sha256: &[u8]) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let id = Uuid::now_v7();
        if CREATE_FIRST
            .optional(&transaction, &[&id, &secret_sha256])
            .await?
            .is_none()
        {
            return Ok(false);
        }
        let detail = json!({ "name": "admin", "role": "admin" });
        let by = By::server();
        record(
            &transaction,
            &by,
            "api_token.create",
            &id.to_string(),
            detail,
        )
        .await?;
        commit(transaction).await?;
        Ok(true)
    }

    /// A new token, known only by its hash.
    pub async fn create_api_token(
        &self,
        by: &By,
        secret_sha256: &[u8],
        name: &str,
        role: Role,
        expires_in_s: Option<u64>,
    ) -> Result<ApiToken, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let id = Uuid::now_v7();
        let seconds = expires_in_s.map(|seconds| seconds as f64);
        let row = CREATE
            .one(
                &transaction,
                &[&id, &name, &role.name(), &secret_sha256, &by.who, &seconds],
            )
            .await?;
        let detail = json!({ "name": name, "role": role, "expires_in_s": expires_in_s });
        record(
            &transaction,
            by,
            "api_token.create",
            &id.to_string(),
            detail,
        )
        .await?;
        commit(transaction).await?;
        token(&row)
    }

    /// Whom the token with this hash stands for, if it may still be used.
    pub async fn authenticate(&self, secret_sha256: &[u8]) -> Result<Option<Principal>, DbError> {
        let row = AUTHENTICATE
            .optional(&self.client().await?, &[&secret_sha256])
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Principal {
            name: column(&row, "name")?,
            role: named(&row, "role")?,
            expires_at: column(&row, "expires_at")?,
        }))
    }

    /// All tokens, newest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, DbError> {
        LIST.rows(&self.client().await?, &[])
            .await?
            .iter()
            .map(token)
            .collect()
    }

    /// Ends a token; false when it is unknown.
    pub async fn revoke_api_token(&self, by: &By, id: Uuid) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = REVOKE.optional(&transaction, &[&id]).await? else {
            return Ok(false);
        };
        let detail = json!({ "name": column::<&str>(&row, "name")? });
        record(
            &transaction,
            by,
            "api_token.revoke",
            &id.to_string(),
            detail,
        )
        .await?;
        commit(transaction).await?;
        Ok(true)
    }
}

fn token(row: &Row) -> Result<ApiToken, DbError> {
    Ok(ApiToken {
        id: column(row, "id")?,
        name: column(row, "name")?,
        role: named(row, "role")?,
        created_at: column(row, "created_at")?,
        created_by: column(row, "created_by")?,
        expires_at: column(row, "expires_at")?,
        last_used_at: column(row, "last_used_at")?,
        state: state(row)?,
    })
}
