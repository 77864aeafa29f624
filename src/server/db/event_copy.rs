//! Writing to `events` and `audits`: one transaction takes the batches of many hosts.

use std::borrow::Cow;
use std::pin::pin;

use deadpool_postgres::{Client, GenericClient, Transaction};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::agents::{self, TalliedAgent};
use super::pool::{begin, commit};
use super::query::{column, count, queries, signed};
use super::{Commit, Database, DbError};
use crate::model::event::{Ancestor, Body, Event, Operation};

queries! {
    LOCK_POSITION = "events/lock_position";
    ADVANCE_POSITION = "events/advance_position";
    LOCK_AUDITS = "events/lock_audits";
    CREATE_AUDIT = "events/create_audit";
    ADVANCE_AUDITS = "events/advance_audits";
    COPY = "events/copy";
}

/// One event to keep.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub host_id: Uuid,
    pub sequence: u64,
    pub event: Event,
}

/// Where a host's audit ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEnd {
    pub host_id: Uuid,
    /// False: the host is revoked.
    pub admitted: bool,
    pub acknowledged: u64,
    pub chain: [u8; 32],
}

/// A transaction that adds events. It holds the order of commits over all servers, so it must be
/// short.
pub struct Ingest<'a> {
    transaction: Transaction<'a>,
    position: u64,
    received_at: Timestamp,
    /// The partition that events go to.
    pub day: Date,
}

pub(super) async fn create_audit(on: &impl GenericClient, host_id: Uuid) -> Result<(), DbError> {
    CREATE_AUDIT.execute(on, &[&host_id]).await?;
    Ok(())
}

impl Database {
    /// A connection for [`Ingest::begin`].
    pub async fn ingest_client(&self) -> Result<Client, DbError> {
        self.client().await
    }
}

impl<'a> Ingest<'a> {
    /// Takes the next place in the order of commits.
    pub async fn begin(client: &'a mut Client) -> Result<Ingest<'a>, DbError> {
        let transaction = begin(client).await?;
        let row = LOCK_POSITION.one(&transaction, &[]).await?;
        Ok(Ingest {
            position: count(&row, "position")?,
            received_at: column(&row, "received_at")?,
            day: column(&row, "day")?,
            transaction,
        })
    }

    /// Locks where the audits of some hosts end. An unknown host is not among the answers.
    pub async fn lock(&self, hosts: &[Uuid]) -> Result<Vec<AuditEnd>, DbError> {
        let rows = LOCK_AUDITS.rows(&self.transaction, &[&hosts]).await?;
        rows.iter()
            .map(|row| {
                let chain: &[u8] = column(row, "chain")?;
                let wrong = |_| DbError::Value {
                    column: "chain",
                    value: hex::encode(chain),
                };
                Ok(AuditEnd {
                    host_id: column(row, "id")?,
                    admitted: column(row, "admitted")?,
                    acknowledged: count(row, "acknowledged")?,
                    chain: chain.try_into().map_err(wrong)?,
                })
            })
            .collect()
    }

    /// Keeps events, what they say about sessions, and where the audits end now.
    pub async fn commit(
        self,
        events: &[NewEvent],
        sessions: &[TalliedAgent],
        ends: &[AuditEnd],
    ) -> Result<Commit, DbError> {
        self.copy(events).await?;
        agents::tally(&self.transaction, sessions).await?;
        let hosts: Vec<Uuid> = ends.iter().map(|end| end.host_id).collect();
        let numbers: Vec<i64> = ends.iter().map(|end| signed(end.acknowledged)).collect();
        let chains: Vec<&[u8]> = ends.iter().map(|end| end.chain.as_slice()).collect();
        ADVANCE_AUDITS
            .execute(&self.transaction, &[&hosts, &numbers, &chains])
            .await?;
        let position = self.position + events.len() as u64;
        ADVANCE_POSITION
            .execute(&self.transaction, &[&signed(position)])
            .await?;
        commit(self.transaction).await?;
        Ok(Commit { position })
    }

    async fn copy(&self, events: &[NewEvent]) -> Result<(), DbError> {
        let failed = |source| DbError::Query {
            name: COPY.name,
            source,
        };
        let statement = self
            .transaction
            .prepare_cached(COPY.text)
            .await
            .map_err(failed)?;
        let sink = self.transaction.copy_in(&statement).await.map_err(failed)?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, COLUMNS));
        for (index, new) in events.iter().enumerate() {
            let position = signed(self.position + 1 + index as u64);
            let row = Row::of(new);
            let process = &new.event.process;
            writer
                .as_mut()
                .write(&[
                    &self.day,
                    &position,
                    &new.host_id,
                    &signed(new.sequence),
                    &time(new.event.time_ns),
                    &self.received_at,
                    &row.kind,
                    &row.agent_id,
                    &row.agent_type,
                    &i64::from(process.pid),
                    &i64::from(process.parent_pid),
                    &i64::from(process.uid),
                    &text(&process.user),
                    &text(&process.exe),
                    &text(&process.comm),
                    &process.args.iter().map(|arg| text(arg)).collect::<Vec<_>>(),
                    &text(&process.container),
                    &Json(&row.lineage),
                    &row.operation.map(|o| o.action.name()),
                    &row.operation.map(|o| text(&o.resource)),
                    &row.operation.map(|o| o.verdict.name()),
                    &row.operation.map(|o| o.enforced),
                    &row.operation.map(|o| o.severity.name()),
                    &row.operation.and_then(|o| o.policy.as_deref().map(text)),
                    &row.operation.and_then(|o| o.policy_version.map(signed)),
                    &row.operation.and_then(|o| o.rule.as_deref().map(text)),
                    &row.operation.map_or(Cow::Borrowed(""), |o| text(&o.reason)),
                    &row.count,
                    &row.detail,
                ])
                .await
                .map_err(failed)?;
        }
        writer.as_mut().finish().await.map_err(failed)?;
        Ok(())
    }
}

/// Types of the columns of `sql/queries/events/copy.sql`, in its order. An enumeration takes its
/// label as text.
const COLUMNS: &[Type] = &[
    Type::DATE,
    Type::INT8,
    Type::UUID,
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::TEXT,
    Type::JSONB,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::BOOL,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::JSONB,
];

/// The columns of an event that depend on its kind.
struct Row<'a> {
    kind: &'static str,
    agent_id: Option<Cow<'a, str>>,
    agent_type: Option<Cow<'a, str>>,
    lineage: Vec<Ancestor>,
    operation: Option<&'a Operation>,
    count: i64,
    detail: Option<Value>,
}

impl Row<'_> {
    fn of(new: &NewEvent) -> Row<'_> {
        let agent = new.event.agent.as_ref();
        let (kind, count, detail) = match &new.event.body {
            Body::Operation(operation) => ("operation", operation.count, None),
            Body::AgentStarted { evidence } => (
                "agent_started",
                1,
                Some(json!({ "evidence": text(evidence) })),
            ),
            Body::AgentEnded => ("agent_ended", 1, None),
            Body::Lost { cause, count } => ("lost", *count, Some(json!({ "cause": text(cause) }))),
            Body::PolicyApplied {
                generation,
                policies,
                limits,
            } => {
                let policies: Vec<_> = policies.iter().map(|policy| text(policy)).collect();
                let limits: Vec<_> = limits.iter().map(|limit| text(limit)).collect();
                let detail =
                    json!({ "generation": generation, "policies": policies, "limits": limits });
                ("policy_applied", 1, Some(detail))
            }
            Body::Alarm { message } => ("alarm", 1, Some(json!({ "message": text(message) }))),
        };
        Row {
            kind,
            agent_id: agent.map(|agent| text(&agent.id)),
            agent_type: agent.map(|agent| text(&agent.agent_type)),
            lineage: lineage(&new.event),
            operation: match &new.event.body {
                Body::Operation(operation) => Some(operation),
                _ => None,
            },
            count: signed(count),
            detail,
        }
    }
}

fn lineage(event: &Event) -> Vec<Ancestor> {
    let ancestors = event.process.lineage.iter();
    ancestors
        .map(|a| Ancestor {
            pid: a.pid,
            exe: text(&a.exe).into_owned(),
        })
        .collect()
}

/// PostgreSQL's text holds every character but NUL.
pub fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\\x00"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The time of an event, to the microsecond.
pub fn time(time_ns: i64) -> Timestamp {
    // Every i64 of nanoseconds lies between the years 1677 and 2262, which a Timestamp can hold.
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}
