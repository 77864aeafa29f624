//! Table `ca`.

use super::query::{column, queries};
use super::{Database, DbError};

queries! {
    FIND = "ca/find";
    CREATE = "ca/create";
}

/// The CA as it is kept.
pub struct StoredAuthority {
    pub certificate_pem: String,
    /// PKCS #8 PEM, or that sealed.
    pub key: Vec<u8>,
    pub key_sealed: bool,
}

impl Database {
    /// The CA, if one has been made.
    pub async fn authority(&self) -> Result<Option<StoredAuthority>, DbError> {
        let Some(row) = FIND.optional(&self.client().await?, &[]).await? else {
            return Ok(None);
        };
        Ok(Some(StoredAuthority {
            certificate_pem: column(&row, "certificate_pem")?,
            key: column(&row, "key")?,
            key_sealed: column(&row, "key_sealed")?,
        }))
    }

    /// Keeps a new CA, unless another server was first.
    pub async fn create_authority(&self, new: &StoredAuthority) -> Result<(), DbError> {
        let client = self.client().await?;
        CREATE
            .execute(&client, &[&new.certificate_pem, &new.key, &new.key_sealed])
            .await?;
        Ok(())
    }
}
