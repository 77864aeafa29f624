//! Hosts and the agents on them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `degraded` with status 503.
    pub status: String,
    pub version: String,
    /// Name the server goes by in its certificate.
    pub server_name: String,
    /// Whether PostgreSQL answered.
    pub database: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostList {
    pub hosts: Vec<Host>,
}

/// How a host's kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// No heartbeat has said it yet.
    Unknown,
    Lsm,
    /// Degraded.
    FmodRet,
    /// Nothing is blocked.
    Observe,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub id: Uuid,
    pub hostname: String,
    pub machine_id: String,
    pub labels: BTreeMap<String, String>,
    pub enrolled_at: Timestamp,
    pub last_seen_at: Option<Timestamp>,
    /// No heartbeat for 90 s.
    pub stale: bool,
    pub revoked_at: Option<Timestamp>,
    /// When the newest certificate of the host ends.
    pub certificate_expires_at: Option<Timestamp>,
    pub version: String,
    pub kernel: String,
    pub boot_id: String,
    pub enforcement: Enforcement,
    /// Why enforcement is not full, one sentence each.
    pub limits: Vec<String>,
    /// Revision of the policy set the host has in force.
    pub policy_revision: u64,
    /// Newest revision on the server.
    pub policy_revision_wanted: u64,
    pub policy_problems: Vec<String>,
    pub generation: u32,
    /// Number of the newest event that is kept.
    pub acknowledged: u64,
    pub counters: BTreeMap<String, u64>,
    /// Sessions that have not ended.
    pub agents_live: u64,
    /// Set while deny verdicts are to be reported and not enforced on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
}

/// A time in which a host reports deny verdicts and does not enforce them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakGlass {
    pub ends_at: Timestamp,
    pub reason: String,
    pub started_by: String,
}

/// Longest time of one break-glass, in seconds.
pub const BREAK_GLASS_S_MAX: u64 = 4 * 3_600;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassRequest {
    /// 1 to [`BREAK_GLASS_S_MAX`].
    pub seconds: u64,
    /// Never empty; kept with the change and told to the host.
    pub reason: String,
}

/// All given fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentQuery {
    /// UUID or host name.
    pub host: Option<String>,
    pub agent_type: Option<String>,
    /// `true`: only sessions that have not ended; `false`: only ended ones.
    pub live: Option<bool>,
    /// 1 to 1,000; default 200, newest first.
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentList {
    pub agents: Vec<Agent>,
}

/// One agent session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: String,
    pub agent_type: String,
    pub host_id: Uuid,
    pub hostname: String,
    pub root_pid: u32,
    pub exe: String,
    pub user: String,
    /// What made the session an agent.
    pub evidence: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub last_seen_at: Timestamp,
    pub live: bool,
    /// Operations by verdict, each counted with its repetitions.
    pub allowed: u64,
    pub alerted: u64,
    pub denied: u64,
}
