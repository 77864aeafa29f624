//! Connections to PostgreSQL.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Transaction,
};

use super::tls::{MakeTls, settle_mode};
use super::{DbError, all_queries, migrate, query};

const VERSION_MIN: u32 = 140_000;
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Every session: plans that see the filters of a search, UTC, and no statement or transaction
/// that hangs for ever.
const SESSION: &str = "-c plan_cache_mode=force_custom_plan -c timezone=UTC \
    -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000 -c lock_timeout=20000";

/// Where the database is and how much of it to use.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// `postgresql://…` or `key=value …`.
    pub url: String,
    /// PEM of the CAs that may sign PostgreSQL's certificate.
    pub ca_file: Option<PathBuf>,
    pub connections_max: usize,
}

/// The database of one server. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    settings: tokio_postgres::Config,
    tls: MakeTls,
}

impl Database {
    /// Connects, checks the version, migrates and prepares every statement.
    ///
    /// # Errors
    ///
    /// Any of that fails; a typing error in a statement shows here.
    pub async fn open(options: &PoolOptions) -> Result<Database, DbError> {
        let mut settings = tokio_postgres::Config::from_str(&options.url).map_err(DbError::Url)?;
        let given = settings.get_options().unwrap_or_default().to_owned();
        settings.options(format!("{SESSION} {given}").trim());
        if settings.get_application_name().is_none() {
            settings.application_name("tyr-server");
        }
        if settings.get_connect_timeout().is_none() {
            settings.connect_timeout(WAIT_MAX);
        }
        settle_mode(&mut settings, options.ca_file.is_some());
        let tls = MakeTls::new(options.ca_file.as_deref())?;
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(settings.clone(), tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(options.connections_max)
            .wait_timeout(Some(WAIT_MAX))
            .runtime(Runtime::Tokio1)
            .build()?;
        let database = Database {
            pool,
            settings,
            tls,
        };
        let mut client = database.client().await?;
        check_version(&client).await?;
        migrate::migrate(&mut client).await?;
        prepare(&client).await?;
        drop(client);
        Ok(database)
    }

    pub(super) async fn client(&self) -> Result<Client, DbError> {
        Ok(self.pool.get().await?)
    }

    /// Whether PostgreSQL answers.
    pub async fn is_up(&self) -> bool {
        let Ok(client) = self.client().await else {
            return false;
        };
        client.simple_query("SELECT 1").await.is_ok()
    }

    /// A connection of its own, outside the pool, for LISTEN.
    ///
    /// # Errors
    ///
    /// PostgreSQL is not reached.
    pub async fn listener(
        &self,
    ) -> Result<
        (
            tokio_postgres::Client,
            tokio_postgres::Connection<
                tokio_postgres::Socket,
                super::tls::Stream<tokio_postgres::Socket>,
            >,
        ),
        DbError,
    > {
        let failed = |source| DbError::Query {
            name: "connect",
            source,
        };
        self.settings
            .connect(self.tls.clone())
            .await
            .map_err(failed)
    }

    /// Closes all connections; calls in progress end first.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// Begins a transaction on `client`.
pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, DbError> {
    client.transaction().await.map_err(|source| DbError::Query {
        name: "begin",
        source,
    })
}

/// Ends a transaction for good.
pub(super) async fn commit(transaction: Transaction<'_>) -> Result<(), DbError> {
    transaction.commit().await.map_err(|source| DbError::Query {
        name: "commit",
        source,
    })
}

async fn check_version(client: &Client) -> Result<(), DbError> {
    let failed = |source| DbError::Query {
        name: "server_version",
        source,
    };
    let text = "SELECT current_setting('server_version') AS shown, \
        current_setting('server_version_num')::int AS number";
    let row = client.query_one(text, &[]).await.map_err(failed)?;
    let number: i32 = query::column(&row, "number")?;
    if u32::try_from(number).unwrap_or(0) < VERSION_MIN {
        return Err(DbError::Version {
            found: query::column(&row, "shown")?,
        });
    }
    Ok(())
}

async fn prepare(client: &Client) -> Result<(), DbError> {
    for query in all_queries() {
        let failed = |source| DbError::Query {
            name: query.name,
            source,
        };
        client.prepare_cached(query.text).await.map_err(failed)?;
    }
    Ok(())
}
