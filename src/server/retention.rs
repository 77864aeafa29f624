//! Partitions of events: made ahead of the day, dropped after their time.

use std::time::Duration;

use jiff::ToSpan;
use tokio::task::JoinHandle;

use super::db::{Database, DbError};

const INTERVAL: Duration = Duration::from_secs(3_600);
const RETRY: Duration = Duration::from_secs(60);
/// So many days from today have their partition.
const DAYS_AHEAD: i64 = 3;

/// Looks after the partitions now and every hour.
///
/// # Errors
///
/// The first time fails. Later failures are logged and tried again.
pub async fn start(db: Database, keep_days: u32) -> Result<JoinHandle<()>, DbError> {
    maintain(&db, keep_days).await?;
    Ok(tokio::spawn(async move {
        let mut pause = INTERVAL;
        loop {
            tokio::time::sleep(pause).await;
            pause = match maintain(&db, keep_days).await {
                Ok(()) => INTERVAL,
                Err(error) => {
                    tracing::error!(error = %crate::exit::chain(&error), "cannot look after partitions");
                    RETRY
                }
            };
        }
    }))
}

/// Makes the partitions of today and the next days, drops those older than `keep_days`.
///
/// # Errors
///
/// The database fails.
pub async fn maintain(db: &Database, keep_days: u32) -> Result<(), DbError> {
    let today = db.today().await?;
    for ahead in 0..DAYS_AHEAD {
        db.ensure_partition(today.saturating_add(ahead.days()))
            .await?;
    }
    let oldest = today.saturating_sub(i64::from(keep_days).days());
    for day in db.drop_partitions(oldest).await? {
        tracing::info!(%day, keep_days, "dropped the events of a day");
    }
    Ok(())
}
