//! News of other servers: LISTEN/NOTIFY brought to whoever waits in this process.
//!
//! A waiter learns only the newest value and then reads the database itself, so a lost or late
//! notification costs time, never data.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use super::db::{Database, DbError};

const EVENTS: &str = "tyr_events";
const POLICIES: &str = "tyr_policies";
/// How often the database is asked all the same: a dead connection may not be noticed.
const POLL: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(1);

/// The newest values that are known. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    /// Position of the newest event.
    pub events: watch::Receiver<u64>,
    /// Newest policy revision.
    pub policies: watch::Receiver<u64>,
}

#[derive(Clone)]
struct Senders {
    events: watch::Sender<u64>,
    policies: watch::Sender<u64>,
}

impl Senders {
    fn tell(&self, channel: &str, value: u64) {
        let sender = match channel {
            EVENTS => &self.events,
            POLICIES => &self.policies,
            _ => return,
        };
        sender.send_if_modified(|newest| {
            let is_newer = value > *newest;
            *newest = value.max(*newest);
            is_newer
        });
    }

    async fn ask(&self, db: &Database) -> Result<(), DbError> {
        self.tell(EVENTS, db.event_position().await?);
        self.tell(POLICIES, db.policy_revision().await?);
        Ok(())
    }
}

/// Starts listening.
///
/// # Errors
///
/// The first connection fails. Later ones are tried again until they work.
pub async fn start(db: Database) -> Result<(Notices, JoinHandle<()>), DbError> {
    let senders = Senders {
        events: watch::Sender::new(0),
        policies: watch::Sender::new(0),
    };
    let notices = Notices {
        events: senders.events.subscribe(),
        policies: senders.policies.subscribe(),
    };
    let mut driver = listen(&db, &senders).await?;
    let task = tokio::spawn(async move {
        loop {
            follow(&db, &senders, &mut driver).await;
            tracing::warn!("lost the connection for notifications, connecting again");
            driver = loop {
                tokio::time::sleep(RETRY).await;
                match listen(&db, &senders).await {
                    Ok(driver) => break driver,
                    Err(error) => {
                        tracing::warn!(error = %crate::exit::chain(&error), "cannot listen");
                    }
                }
            };
        }
    });
    Ok((notices, task))
}

/// A task that drives a connection for as long as it lives.
struct Driver {
    task: JoinHandle<()>,
    /// Dropping it would end the connection.
    client: tokio_postgres::Client,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(db: &Database, senders: &Senders) -> Result<Driver, DbError> {
    let (client, mut connection) = db.listener().await?;
    let told = senders.clone();
    let task = tokio::spawn(async move {
        let mut messages = stream::poll_fn(|context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notice) = message
                && let Ok(value) = notice.payload().parse()
            {
                told.tell(notice.channel(), value);
            }
        }
    });
    let driver = Driver { task, client };
    let text = format!("LISTEN {EVENTS}; LISTEN {POLICIES}");
    let failed = |source| DbError::Query {
        name: "listen",
        source,
    };
    driver.client.batch_execute(&text).await.map_err(failed)?;
    // What happened before the LISTEN.
    senders.ask(db).await?;
    Ok(driver)
}

/// Returns when the connection has ended.
async fn follow(db: &Database, senders: &Senders, driver: &mut Driver) {
    loop {
        match tokio::time::timeout(POLL, &mut driver.task).await {
            Ok(_) => return,
            Err(_) => {
                if let Err(error) = senders.ask(db).await {
                    tracing::warn!(error = %crate::exit::chain(&error), "cannot ask for news");
                }
            }
        }
    }
}
