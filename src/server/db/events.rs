//! Reading `events`, and its partitions.

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::query::{Values, column, count, count_or_null, queries, signed};
use super::{Database, DbError};
use crate::model::action::Action;
use crate::model::event::Ancestor;
use crate::model::verdict::{Severity, Verdict};
use crate::wire::rest::EventRecord;

queries! {
    PAGE = "events/page";
    TAIL = "events/tail";
    POSITION = "events/position";
    ENSURE_PARTITION = "events/ensure_partition";
    DROP_PARTITIONS = "events/drop_partitions";
    TODAY = "events/today";
}

/// Where the order of commits ends after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    pub position: u64,
}

/// All given fields must hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub host_ids: Option<Vec<Uuid>>,
    pub agent: Option<String>,
    pub agent_type: Option<String>,
    pub action: Option<Action>,
    pub verdict: Option<Verdict>,
    pub enforced: Option<bool>,
    pub severity_min: Option<Severity>,
    pub policy: Option<String>,
    pub rule: Option<String>,
    pub kind: Option<String>,
    pub resource_part: Option<String>,
    pub exe_part: Option<String>,
    pub user: Option<String>,
    pub pid: Option<u32>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// The event that the page before ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStart {
    pub time: Timestamp,
    pub position: u64,
}

/// Events after a position, in the order of commits.
#[derive(Clone, Debug)]
pub struct Tail {
    pub events: Vec<EventRecord>,
    /// Everything up to this position has been looked at.
    pub position: u64,
}

impl Database {
    /// Events, newest first by the hosts' clocks.
    pub async fn events(
        &self,
        filter: &EventFilter,
        start: Option<PageStart>,
        limit: u32,
    ) -> Result<Vec<EventRecord>, DbError> {
        let position = start.map_or(0, |start| signed(start.position));
        let time = start.map(|start| start.time);
        let bound = Bound::of(filter);
        let limit = i64::from(limit);
        let mut values = bound.values(&limit, &position, filter);
        values.extend_from_slice(&[&time, &filter.since, &filter.until]);
        PAGE.rows(&self.client().await?, &values)
            .await?
            .iter()
            .map(event)
            .collect()
    }

    /// The next events after a position.
    pub async fn tail(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: u32,
    ) -> Result<Tail, DbError> {
        let client = self.client().await?;
        let head = count(&POSITION.one(&client, &[]).await?, "position")?;
        if head <= after {
            return Ok(Tail {
                events: Vec::new(),
                position: after,
            });
        }
        let (from, to) = (signed(after), signed(head));
        let bound = Bound::of(filter);
        let most = i64::from(limit);
        let mut values = bound.values(&most, &from, filter);
        values.push(&to);
        let rows = TAIL.rows(&client, &values).await?;
        let events: Vec<EventRecord> = rows.iter().map(event).collect::<Result<_, _>>()?;
        // A full answer may have left some out; any other has seen all up to the head.
        let position = match events.last() {
            Some(last) if events.len() >= limit as usize => last.id,
            _ => head,
        };
        Ok(Tail { events, position })
    }

    /// Position of the newest event.
    pub async fn event_position(&self) -> Result<u64, DbError> {
        count(&POSITION.one(&self.client().await?, &[]).await?, "position")
    }

    /// The day by the database's clock, UTC.
    pub async fn today(&self) -> Result<Date, DbError> {
        column(&TODAY.one(&self.client().await?, &[]).await?, "day")
    }

    /// Makes the partition of a day; false when it was there.
    pub async fn ensure_partition(&self, day: Date) -> Result<bool, DbError> {
        column(
            &ENSURE_PARTITION.one(&self.client().await?, &[&day]).await?,
            "made",
        )
    }

    /// Drops the partitions of all days before `oldest`, and gives their days.
    pub async fn drop_partitions(&self, oldest: Date) -> Result<Vec<Date>, DbError> {
        let rows = DROP_PARTITIONS
            .rows(&self.client().await?, &[&oldest])
            .await?;
        rows.iter().map(|row| column(row, "dropped")).collect()
    }
}

/// Values of a filter in PostgreSQL's types.
struct Bound {
    action: Option<&'static str>,
    verdict: Option<&'static str>,
    severity: Option<&'static str>,
    pid: Option<i64>,
}

impl Bound {
    fn of(filter: &EventFilter) -> Bound {
        Bound {
            action: filter.action.map(Action::name),
            verdict: filter.verdict.map(Verdict::name),
            severity: filter.severity_min.map(Severity::name),
            pid: filter.pid.map(i64::from),
        }
    }

    /// `$1` to `$16` of `events/page` and `events/tail`.
    fn values<'a>(
        &'a self,
        limit: &'a i64,
        position: &'a i64,
        filter: &'a EventFilter,
    ) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
        let values: Values<'a> = &[];
        let mut values = values.to_vec();
        values.extend_from_slice(&[limit, position, &filter.host_ids, &filter.agent]);
        values.extend_from_slice(&[&filter.agent_type, &self.action, &self.verdict]);
        values.extend_from_slice(&[&filter.enforced, &self.severity, &filter.policy]);
        values.extend_from_slice(&[&filter.rule, &filter.kind, &filter.resource_part]);
        values.extend_from_slice(&[&filter.exe_part, &filter.user, &self.pid]);
        values
    }
}

fn event(row: &Row) -> Result<EventRecord, DbError> {
    let number = |name| count(row, name).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let lineage: Json<Vec<Ancestor>> = column(row, "lineage")?;
    let detail: Option<serde_json::Value> = column(row, "detail")?;
    Ok(EventRecord {
        id: count(row, "position")?,
        host_id: column(row, "host_id")?,
        hostname: column(row, "hostname")?,
        sequence: count(row, "sequence")?,
        time: column(row, "time")?,
        received_at: column(row, "received_at")?,
        kind: column(row, "kind")?,
        agent_id: column(row, "agent_id")?,
        agent_type: column(row, "agent_type")?,
        pid: number("pid")?,
        parent_pid: number("parent_pid")?,
        uid: number("uid")?,
        user: column(row, "user_name")?,
        exe: column(row, "exe")?,
        comm: column(row, "comm")?,
        args: column(row, "args")?,
        container: column(row, "container")?,
        lineage: lineage.0,
        action: maybe_named(row, "action")?,
        resource: column(row, "resource")?,
        verdict: maybe_named(row, "verdict")?,
        enforced: column(row, "enforced")?,
        severity: maybe_named(row, "severity")?,
        policy: column(row, "policy")?,
        policy_version: count_or_null(row, "policy_version")?,
        rule: column(row, "rule")?,
        reason: column(row, "reason")?,
        count: count(row, "count")?,
        detail: detail.unwrap_or_default(),
    })
}

fn maybe_named<T: std::str::FromStr>(row: &Row, name: &'static str) -> Result<Option<T>, DbError> {
    let Some(text) = column::<Option<&str>>(row, name)? else {
        return Ok(None);
    };
    let wrong = |_| DbError::Value {
        column: name,
        value: text.to_owned(),
    };
    text.parse().map(Some).map_err(wrong)
}
