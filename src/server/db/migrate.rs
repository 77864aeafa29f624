//! Brings the schema to this server's state: forward only, each migration once and whole.

use deadpool_postgres::Client;
use sha2::{Digest, Sha256};

use super::DbError;
use super::query::{column, queries};

queries! {
    APPLIED = "schema/applied";
    RECORD = "schema/record";
}

struct Migration {
    number: i32,
    name: &'static str,
    text: &'static str,
}

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        Migration {
            number: $number,
            name: $name,
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/sql/migrations/",
                $file
            )),
        }
    };
}

const MIGRATIONS: &[Migration] = &[
    migration!(1, "identity", "0001_identity.sql"),
    migration!(2, "policies", "0002_policies.sql"),
    migration!(3, "agents", "0003_agents.sql"),
    migration!(4, "events", "0004_events.sql"),
    migration!(5, "break_glass", "0005_break_glass.sql"),
];

/// Held while migrating, so that of several servers one does it. Any number no one else uses.
const LOCK: i64 = 0x7479_7200;

/// The list of what is applied exists before the first migration.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// Applies what is missing and gives how many migrations that were.
///
/// # Errors
///
/// A migration fails (none of it stays), its text differs from the one that was applied, or the
/// database is newer than this server.
pub(super) async fn migrate(client: &mut Client) -> Result<usize, DbError> {
    let failed = |source| DbError::Query {
        name: "schema",
        source,
    };
    // However long it takes, here or on the server that goes first.
    let lock =
        format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})");
    client.batch_execute(&lock).await.map_err(failed)?;
    let outcome = migrate_locked(client).await;
    let unlock =
        format!("SELECT pg_advisory_unlock({LOCK}); RESET statement_timeout; RESET lock_timeout");
    let unlocked = client.batch_execute(&unlock).await.map_err(failed);
    let made = outcome?;
    unlocked?;
    Ok(made)
}

async fn migrate_locked(client: &mut Client) -> Result<usize, DbError> {
    let ledger = |source| DbError::Query {
        name: "schema",
        source,
    };
    client.batch_execute(LEDGER).await.map_err(ledger)?;
    let mut applied = Vec::new();
    for row in APPLIED.rows(client, &[]).await? {
        applied.push((
            column::<i32>(&row, "number")?,
            column::<Vec<u8>>(&row, "sha256")?,
        ));
    }
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    if let Some((found, _)) = applied.last().filter(|(number, _)| *number > known) {
        return Err(DbError::Newer {
            found: *found,
            known,
        });
    }
    let mut made = 0;
    for migration in MIGRATIONS {
        let sha256 = Sha256::digest(migration.text).to_vec();
        match applied
            .iter()
            .find(|(number, _)| *number == migration.number)
        {
            Some((_, text)) if *text != sha256 => {
                return Err(DbError::Changed {
                    number: migration.number,
                });
            }
            Some(_) => {}
            None => {
                apply(client, migration, &sha256).await?;
                made += 1;
            }
        }
    }
    Ok(made)
}

async fn apply(client: &mut Client, migration: &Migration, sha256: &[u8]) -> Result<(), DbError> {
    let Migration { number, name, text } = *migration;
    let failed = |source| DbError::Migration {
        number,
        name,
        source,
    };
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.batch_execute(text).await.map_err(failed)?;
    RECORD
        .execute(&transaction, &[&number, &name, &sha256])
        .await?;
    transaction.commit().await.map_err(failed)?;
    tracing::info!(number, name, "applied migration");
    Ok(())
}
