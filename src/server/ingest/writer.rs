//! The one task of a server that writes events: it commits the batches of many hosts together.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::batch::Batch;
use super::tally::tally;
use super::{BATCH_RECORDS_MAX, Refused};
use crate::server::db::{AuditEnd, Database, DbError, Ingest, NewEvent};
use crate::server::metrics::Metrics;

/// Batches that wait; a host whose batch finds no room waits with it.
const WAITING_MAX: usize = 64;
/// A group is closed when it has this many records.
const GROUP_RECORDS_MAX: usize = 2 * BATCH_RECORDS_MAX;

type Answer = Result<u64, Refused>;

struct Job {
    batch: Batch,
    answer: oneshot::Sender<Answer>,
}

/// Hands batches to the writer. Cheap to clone; the writer ends when the last one is dropped.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Commits a batch and gives the number up to which the host's records are kept.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is kept; see [`Refused`].
    pub async fn write(&self, batch: Batch) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(Job { batch, answer })
            .await
            .map_err(|_| Refused::Unavailable)?;
        answered.await.unwrap_or(Err(Refused::Unavailable))
    }
}

/// Starts the writer of a server.
pub fn start(db: Database, metrics: Arc<Metrics>) -> (Writer, JoinHandle<()>) {
    let (jobs, waiting) = mpsc::channel(WAITING_MAX);
    let task = Task {
        db,
        metrics,
        partitions: HashSet::new(),
    };
    (Writer { jobs }, tokio::spawn(task.run(waiting)))
}

struct Task {
    db: Database,
    metrics: Arc<Metrics>,
    /// Days whose partition is known to be there.
    partitions: HashSet<Date>,
}

impl Task {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.recv().await {
            let mut records = first.batch.len();
            let mut group = vec![first];
            while records < GROUP_RECORDS_MAX
                && let Ok(job) = waiting.try_recv()
            {
                records += job.batch.len();
                group.push(job);
            }
            self.write_group(group).await;
        }
    }

    async fn write_group(&mut self, group: Vec<Job>) {
        let batches: Vec<&Batch> = group.iter().map(|job| &job.batch).collect();
        let answers = match self.commit(&batches).await {
            Ok(answers) => answers,
            // What one batch holds must not keep the others out.
            Err(error) if group.len() > 1 && !error.is_unavailable() => {
                for job in group {
                    let answer = self.commit_one(&job.batch).await;
                    let _ = job.answer.send(answer);
                }
                return;
            }
            Err(error) => {
                report(&error);
                vec![Err(Refused::Unavailable); group.len()]
            }
        };
        for (job, answer) in group.into_iter().zip(answers) {
            // A host that has gone away asks again.
            let _ = job.answer.send(answer);
        }
    }

    async fn commit_one(&mut self, batch: &Batch) -> Answer {
        match self.commit(&[batch]).await {
            Ok(mut answers) => answers.pop().unwrap_or(Err(Refused::Unavailable)),
            Err(error) => {
                report(&error);
                Err(Refused::Unavailable)
            }
        }
    }

    /// One transaction for all batches. A batch that is refused changes nothing.
    async fn commit(&mut self, batches: &[&Batch]) -> Result<Vec<Answer>, DbError> {
        let today = self.db.today().await?;
        self.ensure_partition(today).await?;
        let mut client = self.db.ingest_client().await?;
        let ingest = Ingest::begin(&mut client).await?;
        if ingest.day != today {
            // Midnight passed in between: the next try names the new day.
            drop(ingest);
            drop(client);
            return Box::pin(self.commit(batches)).await;
        }
        let mut hosts: Vec<Uuid> = batches.iter().map(|batch| batch.host_id).collect();
        hosts.sort();
        hosts.dedup();
        let mut ends: BTreeMap<Uuid, AuditEnd> = ingest
            .lock(&hosts)
            .await?
            .into_iter()
            .map(|end| (end.host_id, end))
            .collect();
        let mut events: Vec<NewEvent> = Vec::new();
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            answers.push(take(batch, &mut ends, &mut events));
        }
        let received: usize = batches.iter().map(|batch| batch.len()).sum();
        if !events.is_empty() {
            let sessions = tally(&events);
            let ends: Vec<AuditEnd> = ends.into_values().filter(|end| end.admitted).collect();
            ingest.commit(&events, &sessions, &ends).await?;
        }
        self.metrics.ingested(batches.len(), received, events.len());
        self.metrics
            .refused(answers.iter().filter(|answer| answer.is_err()).count());
        Ok(answers)
    }

    async fn ensure_partition(&mut self, day: Date) -> Result<(), DbError> {
        if !self.partitions.contains(&day) {
            self.db.ensure_partition(day).await?;
            self.partitions.clear();
            self.partitions.insert(day);
        }
        Ok(())
    }
}

fn take(batch: &Batch, ends: &mut BTreeMap<Uuid, AuditEnd>, events: &mut Vec<NewEvent>) -> Answer {
    let end = ends.get_mut(&batch.host_id).filter(|end| end.admitted);
    let end = end.ok_or(Refused::NotAdmitted)?;
    events.extend(batch.new_after(end)?);
    Ok(end.acknowledged)
}

fn report(error: &DbError) {
    tracing::error!(error = %crate::exit::chain(error), "cannot keep events");
}
