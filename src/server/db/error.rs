//! What PostgreSQL refused, told with the statement's name and never with its values.

use std::path::PathBuf;

use deadpool_postgres::{BuildError, PoolError};
use tokio_postgres::error::SqlState;

/// A failure of the database, or of reaching it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("the database URL is not valid")]
    Url(#[source] tokio_postgres::Error),
    #[error("cannot use {path} to check the database's certificate")]
    CaFile {
        path: PathBuf,
        source: crate::tls::TlsError,
    },
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot make the pool of database connections")]
    Build(#[from] BuildError),
    #[error("cannot get a connection to PostgreSQL")]
    Pool(#[from] PoolError),
    #[error("PostgreSQL {found} is not supported: use 14 or newer")]
    Version { found: String },
    #[error("statement {name} failed")]
    Query {
        name: &'static str,
        source: tokio_postgres::Error,
    },
    #[error("the database holds what this server does not know in {column}: {value}")]
    Value { column: &'static str, value: String },
    #[error("the database is at migration {found}, newer than this server's {known}: upgrade it")]
    Newer { found: i32, known: i32 },
    #[error("migration {number} was applied with another text than this server's")]
    Changed { number: i32 },
    #[error("migration {number} ({name}) failed")]
    Migration {
        number: i32,
        name: &'static str,
        source: tokio_postgres::Error,
    },
}

impl DbError {
    /// Whether the same call may work once PostgreSQL is back.
    pub fn is_unavailable(&self) -> bool {
        match self {
            DbError::Pool(_) => true,
            DbError::Query { source, .. } => match source.as_db_error() {
                // Connection, resources, operator intervention; and what a retry can win.
                Some(error) => {
                    matches!(&error.code().code()[..2], "08" | "53" | "57" | "58" | "40")
                }
                None => {
                    let cause = std::error::Error::source(source);
                    source.is_closed() || cause.is_some_and(|cause| cause.is::<std::io::Error>())
                }
            },
            _ => false,
        }
    }

    /// Whether a unique constraint or index of this name was hurt.
    pub fn violates(&self, constraint: &str) -> bool {
        let DbError::Query { source, .. } = self else {
            return false;
        };
        source.as_db_error().is_some_and(|error| {
            *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some(constraint)
        })
    }
}
