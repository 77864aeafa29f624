//! The audit: search and live tail.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::action::Action;
use crate::model::event::Ancestor;
use crate::model::verdict::{Severity, Verdict};

/// All given fields must hold. `since`, `until`, `cursor` and `limit` are for the search,
/// the rest also for the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// UUID or host name.
    pub host: Option<String>,
    /// Id of an agent session.
    pub agent: Option<String>,
    pub agent_type: Option<String>,
    pub action: Option<Action>,
    pub verdict: Option<Verdict>,
    pub enforced: Option<bool>,
    /// This severity or a higher one.
    pub severity: Option<Severity>,
    pub policy: Option<String>,
    pub rule: Option<String>,
    /// `operation`, `agent_started`, `agent_ended`, `lost`, `policy_applied`, `alarm`.
    pub kind: Option<String>,
    /// Text the resource contains.
    pub resource: Option<String>,
    /// Text the executable contains.
    pub exe: Option<String>,
    pub user: Option<String>,
    pub pid: Option<u32>,
    /// Inclusive, by the host's clock.
    pub since: Option<Timestamp>,
    /// Exclusive, by the host's clock.
    pub until: Option<Timestamp>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 1,000; default 100.
    pub limit: Option<u32>,
    /// Stream only: begin after this event id, like the header `Last-Event-ID`. `0` begins with
    /// the oldest event kept. Without it the stream begins with what happens next.
    pub after: Option<u64>,
}

impl EventQuery {
    /// Name and value of every given field, for a query string.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        fields
            .filter_map(|(name, value)| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some((name.clone(), text.clone())),
                other => Some((name.clone(), other.to_string())),
            })
            .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    /// Newest first, by the host's clock.
    pub events: Vec<EventRecord>,
    /// `cursor` of the page after this one; `None` on the last.
    pub next: Option<String>,
}

/// One event as the server keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Position in the order in which the server committed events: grows without gaps.
    pub id: u64,
    pub host_id: Uuid,
    pub hostname: String,
    /// Number on the host.
    pub sequence: u64,
    /// By the host's clock.
    pub time: Timestamp,
    pub received_at: Timestamp,
    /// `operation`, `agent_started`, `agent_ended`, `lost`, `policy_applied`, `alarm`.
    pub kind: String,
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    pub pid: u32,
    pub parent_pid: u32,
    pub uid: u32,
    pub user: String,
    pub exe: String,
    pub comm: String,
    pub args: Vec<String>,
    /// Empty on the host.
    pub container: String,
    /// Nearest ancestor first.
    pub lineage: Vec<Ancestor>,
    /// Fields from here to `reason` are those of an operation.
    pub action: Option<Action>,
    pub resource: Option<String>,
    pub verdict: Option<Verdict>,
    pub enforced: Option<bool>,
    pub severity: Option<Severity>,
    pub policy: Option<String>,
    pub policy_version: Option<u64>,
    pub rule: Option<String>,
    pub reason: String,
    /// How many identical operations, or lost records, this event stands for.
    pub count: u64,
    /// Other fields of the body, by kind: `evidence`, `cause`, `message`,
    /// `generation`, `policies`, `limits`.
    #[serde(default)]
    pub detail: serde_json::Value,
}
