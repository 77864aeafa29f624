//! Table `agents`.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::query::{column, count, queries, signed};
use super::{Database, DbError};
use crate::wire::rest::Agent;

queries! {
    SEEN = "agents/seen";
    END_ABSENT = "agents/end_absent";
    TALLY = "agents/tally";
    LIST = "agents/list";
}

/// A live session in a heartbeat.
#[derive(Clone, Debug)]
pub struct SeenAgent {
    pub id: String,
    pub agent_type: String,
    pub root_pid: u32,
    pub exe: String,
    pub user: String,
    pub evidence: String,
    pub started_at: Timestamp,
}

/// What a batch of events says about a session.
#[derive(Clone, Debug, PartialEq)]
pub struct TalliedAgent {
    pub host_id: Uuid,
    pub id: String,
    pub agent_type: String,
    pub root_pid: u32,
    pub exe: String,
    pub user: String,
    /// Empty: its start is not in the batch.
    pub evidence: String,
    /// Time of its first event in the batch.
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub allowed: u64,
    pub alerted: u64,
    pub denied: u64,
}

/// All given fields must hold.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    pub id: Option<String>,
    pub host_ids: Option<Vec<Uuid>>,
    pub agent_type: Option<String>,
    pub live: Option<bool>,
    pub limit: u32,
}

/// One column of many rows.
fn each<T, C>(rows: &[T], field: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(field).collect()
}

pub(super) async fn seen(
    on: &impl GenericClient,
    host_id: Uuid,
    live: &[SeenAgent],
) -> Result<(), DbError> {
    let mut rows: Vec<&SeenAgent> = live.iter().collect();
    rows.sort_by_key(|agent| &agent.id);
    rows.dedup_by_key(|agent| &agent.id);
    let ids = each(&rows, |a| &a.id);
    SEEN.execute(
        on,
        &[
            &host_id,
            &ids,
            &each(&rows, |a| &a.agent_type),
            &each(&rows, |a| i64::from(a.root_pid)),
            &each(&rows, |a| &a.exe),
            &each(&rows, |a| &a.user),
            &each(&rows, |a| &a.evidence),
            &each(&rows, |a| a.started_at),
        ],
    )
    .await?;
    END_ABSENT.execute(on, &[&host_id, &ids]).await?;
    Ok(())
}

pub(super) async fn tally(on: &impl GenericClient, agents: &[TalliedAgent]) -> Result<(), DbError> {
    if agents.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<&TalliedAgent> = agents.iter().collect();
    rows.sort_by_key(|agent| (agent.host_id, &agent.id));
    TALLY
        .execute(
            on,
            &[
                &each(&rows, |a| a.host_id),
                &each(&rows, |a| &a.id),
                &each(&rows, |a| &a.agent_type),
                &each(&rows, |a| i64::from(a.root_pid)),
                &each(&rows, |a| &a.exe),
                &each(&rows, |a| &a.user),
                &each(&rows, |a| &a.evidence),
                &each(&rows, |a| a.started_at),
                &each(&rows, |a| a.ended_at),
                &each(&rows, |a| signed(a.allowed)),
                &each(&rows, |a| signed(a.alerted)),
                &each(&rows, |a| signed(a.denied)),
            ],
        )
        .await?;
    Ok(())
}

impl Database {
    /// Sessions, newest first.
    pub async fn agents(&self, filter: &AgentFilter) -> Result<Vec<Agent>, DbError> {
        let limit = i64::from(filter.limit);
        let values: super::query::Values<'_> = &[
            &filter.id,
            &filter.host_ids,
            &filter.agent_type,
            &filter.live,
            &limit,
        ];
        LIST.rows(&self.client().await?, values)
            .await?
            .iter()
            .map(agent)
            .collect()
    }
}

fn agent(row: &Row) -> Result<Agent, DbError> {
    let ended_at: Option<Timestamp> = column(row, "ended_at")?;
    Ok(Agent {
        id: column(row, "id")?,
        agent_type: column(row, "agent_type")?,
        host_id: column(row, "host_id")?,
        hostname: column(row, "hostname")?,
        root_pid: u32::try_from(count(row, "root_pid")?).unwrap_or(u32::MAX),
        exe: column(row, "exe")?,
        user: column(row, "user_name")?,
        evidence: column(row, "evidence")?,
        started_at: column(row, "started_at")?,
        ended_at,
        last_seen_at: column(row, "last_seen_at")?,
        live: ended_at.is_none(),
        allowed: count(row, "allowed")?,
        alerted: count(row, "alerted")?,
        denied: count(row, "denied")?,
    })
}
