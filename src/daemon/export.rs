//! Spool → server: batches up, acknowledgements down.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::model::event::{Body, Event, Process};
use crate::wire::convert::encode_event;
use crate::wire::proto::event_service_client::EventServiceClient;
use crate::wire::proto::{ExportRequest, Record};

use super::link::{Backoff, Link};
use super::metrics::Metrics;
use super::spool::{Gap, GapCause, Item, Spool, SpoolError};

/// Well below what the server takes at once.
const BATCH_RECORDS_MAX: usize = 1_000;
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Records sent and not acknowledged; past that the exporter waits.
const UNACKNOWLEDGED_MAX: u64 = 8_000;
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends records for as long as the daemon runs. Returns only when `synced` has no sender left
/// and everything is acknowledged.
pub async fn run(
    mut link: Link,
    spool: Arc<Spool>,
    mut synced: watch::Receiver<u64>,
    metrics: Arc<Metrics>,
) {
    let mut backoff = Backoff::default();
    loop {
        if spool.status().acknowledged >= spool.status().last && synced.changed().await.is_err() {
            return;
        }
        let before = spool.status().acknowledged;
        let ended = match link.channel() {
            Ok(channel) => {
                tokio::select! {
                    ended = stream(channel, &spool, synced.clone()) => ended,
                    () = link.renewed() => Ok(()),
                }
            }
            Err(message) => Err(Status::unavailable(message)),
        };
        if spool.status().acknowledged > before {
            backoff.reset();
        }
        metrics.set_exporting(ended.is_ok());
        if let Err(status) = ended {
            report(&status);
            tokio::time::sleep(backoff.delay()).await;
        }
    }
}

fn report(status: &Status) {
    let (code, message) = (status.code(), status.message());
    match code {
        // The audit on the server and the one here do not fit: nobody but a person can settle it.
        Code::FailedPrecondition => {
            tracing::error!(%code, message, "the server refuses the events");
        }
        _ => tracing::warn!(%code, message, "cannot export events"),
    }
}

/// One stream, from the first record that is not acknowledged.
async fn stream(
    channel: Channel,
    spool: &Arc<Spool>,
    synced: watch::Receiver<u64>,
) -> Result<(), Status> {
    let (batches, outbound) = mpsc::channel(1);
    let (acknowledged, acknowledgements) = watch::channel(spool.status().acknowledged);
    let mut client = EventServiceClient::new(channel);
    let receiving = async {
        let mut inbound = client
            .export(ReceiverStream::new(outbound))
            .await?
            .into_inner();
        while let Some(answer) = inbound.message().await? {
            spool
                .acknowledge(answer.acknowledged)
                .map_err(|error| disk(&error))?;
            acknowledged.send_replace(answer.acknowledged);
        }
        Err(Status::unavailable("the server ended the stream"))
    };
    tokio::select! {
        ended = receiving => ended,
        ended = send(spool, synced, acknowledgements, batches) => ended,
    }
}

async fn send(
    spool: &Arc<Spool>,
    mut synced: watch::Receiver<u64>,
    mut acknowledged: watch::Receiver<u64>,
    batches: mpsc::Sender<ExportRequest>,
) -> Result<(), Status> {
    let mut sent = spool.status().acknowledged;
    loop {
        // An acknowledgement may be ahead of what this stream has sent: the server had it all.
        sent = sent.max(*acknowledged.borrow_and_update());
        let waiting = sent.saturating_sub(*acknowledged.borrow());
        if waiting >= UNACKNOWLEDGED_MAX {
            wait_for(&mut acknowledged).await?;
            continue;
        }
        let batch = read(spool, sent).await?;
        let Some(last) = batch.last() else {
            if waiting > 0 {
                tokio::select! {
                    changed = synced.changed() => if changed.is_err() {
                        wait_for(&mut acknowledged).await?;
                    },
                    changed = wait_for(&mut acknowledged) => changed?,
                }
            } else if synced.changed().await.is_err() {
                return Ok(());
            }
            continue;
        };
        sent = last.sequence;
        let request = ExportRequest { records: batch };
        if batches.send(request).await.is_err() {
            // The receiving side knows why.
            std::future::pending::<()>().await;
        }
    }
}

async fn wait_for(acknowledged: &mut watch::Receiver<u64>) -> Result<(), Status> {
    match tokio::time::timeout(ACKNOWLEDGE_TIMEOUT, acknowledged.changed()).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Status::deadline_exceeded("the server acknowledges nothing")),
    }
}

/// The next batch, marked as sent.
async fn read(spool: &Arc<Spool>, after: u64) -> Result<Vec<Record>, Status> {
    let spool = Arc::clone(spool);
    let reading = tokio::task::spawn_blocking(move || {
        let items = spool.read(after, BATCH_RECORDS_MAX, BATCH_BYTES_MAX)?;
        match items.last() {
            Some(Item::Record(last)) => spool.mark_sent(last.sequence, last.chain)?,
            Some(Item::Gap(gap)) => spool.mark_sent(gap.last, gap.chain)?,
            None => {}
        }
        Ok(items.into_iter().map(record).collect())
    });
    let read: Result<Vec<Record>, SpoolError> = reading
        .await
        .map_err(|error| Status::internal(error.to_string()))?;
    read.map_err(|error| disk(&error))
}

fn record(item: Item) -> Record {
    match item {
        Item::Record(stored) => Record {
            sequence: stored.sequence,
            event: stored.event,
            chain: stored.chain.0.to_vec(),
        },
        Item::Gap(gap) => Record {
            sequence: gap.last,
            event: encode_event(&lost(&gap)),
            chain: gap.chain.0.to_vec(),
        },
    }
}

/// What stands in the audit for records that are gone: the number and the chain of the last.
fn lost(gap: &Gap) -> Event {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let cause = match gap.cause {
        GapCause::Evicted => "the spool was full",
        GapCause::Damaged => "the spool was damaged on disk",
    };
    Event {
        time_ns: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
        boot_ns: 0,
        process: Process::default(),
        agent: None,
        body: Body::Lost {
            cause: cause.to_owned(),
            count: gap.last - gap.first + 1,
        },
    }
}

fn disk(error: &SpoolError) -> Status {
    Status::internal(crate::exit::chain(error))
}
