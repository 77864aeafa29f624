//! One statement: its name in errors, its text from `sql/queries`, and how rows are read.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use super::DbError;

/// Values of `$1`, `$2`, ….
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    /// Path below `sql/queries`, without `.sql`.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// Declares the statements of a file: a constant for each, and `QUERIES` for all.
macro_rules! queries {
    ($($constant:ident = $name:literal;)+) => {
        $(const $constant: $crate::server::db::query::Query = $crate::server::db::query::Query {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/queries/", $name, ".sql")),
        };)+

        pub(super) const QUERIES: &[$crate::server::db::query::Query] = &[$($constant),+];
    };
}
pub(super) use queries;

impl Query {
    pub(super) async fn rows(
        &self,
        on: &impl GenericClient,
        values: Values<'_>,
    ) -> Result<Vec<Row>, DbError> {
        let failed = |source| DbError::Query {
            name: self.name,
            source,
        };
        let statement = on.prepare_cached(self.text).await.map_err(failed)?;
        on.query(&statement, values).await.map_err(failed)
    }

    pub(super) async fn optional(
        &self,
        on: &impl GenericClient,
        values: Values<'_>,
    ) -> Result<Option<Row>, DbError> {
        let failed = |source| DbError::Query {
            name: self.name,
            source,
        };
        let statement = on.prepare_cached(self.text).await.map_err(failed)?;
        on.query_opt(&statement, values).await.map_err(failed)
    }

    pub(super) async fn one(
        &self,
        on: &impl GenericClient,
        values: Values<'_>,
    ) -> Result<Row, DbError> {
        let failed = |source| DbError::Query {
            name: self.name,
            source,
        };
        let statement = on.prepare_cached(self.text).await.map_err(failed)?;
        on.query_one(&statement, values).await.map_err(failed)
    }

    pub(super) async fn execute(
        &self,
        on: &impl GenericClient,
        values: Values<'_>,
    ) -> Result<u64, DbError> {
        let failed = |source| DbError::Query {
            name: self.name,
            source,
        };
        let statement = on.prepare_cached(self.text).await.map_err(failed)?;
        on.execute(&statement, values).await.map_err(failed)
    }
}

/// A column by name.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &'static str) -> Result<T, DbError> {
    row.try_get(name)
        .map_err(|source| DbError::Query { name, source })
}

/// A column that counts something.
pub(super) fn count(row: &Row, name: &'static str) -> Result<u64, DbError> {
    let value: i64 = column(row, name)?;
    u64::try_from(value).map_err(|_| DbError::Value {
        column: name,
        value: value.to_string(),
    })
}

/// A column that counts something or is null.
pub(super) fn count_or_null(row: &Row, name: &'static str) -> Result<Option<u64>, DbError> {
    let value: Option<i64> = column(row, name)?;
    value
        .map(u64::try_from)
        .transpose()
        .map_err(|_| DbError::Value {
            column: name,
            value: format!("{value:?}"),
        })
}

/// A column whose text is a name of `T`.
pub(super) fn named<T: std::str::FromStr>(row: &Row, name: &'static str) -> Result<T, DbError> {
    let text: &str = column(row, name)?;
    text.parse().map_err(|_| DbError::Value {
        column: name,
        value: text.to_owned(),
    })
}

/// PostgreSQL has no unsigned numbers: what is larger than its largest becomes that.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
