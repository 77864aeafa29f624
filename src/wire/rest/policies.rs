//! Policies, their versions, and where they hold.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::verdict::Mode;
use crate::policy::problem::Problem;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyQuery {
    /// Check and answer, change nothing.
    pub dry_run: Option<bool>,
    /// Name of the file, used in problems.
    pub source: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplyAnswer {
    pub dry_run: bool,
    /// One per document, in the order of the file.
    pub policies: Vec<AppliedPolicy>,
    pub warnings: Vec<Problem>,
    /// Rules that some hosts do not enforce.
    pub limits: Vec<HostLimit>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    pub name: String,
    /// Version that the text has now (on a dry run: would have).
    pub version: u64,
    pub outcome: ApplyOutcome,
    /// Number of assignments of this policy. Applying assigns nothing.
    pub assignments: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    Created,
    Updated,
    /// The text is that of the newest version: no new version was made.
    Unchanged,
}

/// What one host does not enforce, or would not once the policy is assigned to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLimit {
    /// `None`: holds for hosts in general.
    pub host_id: Option<Uuid>,
    /// Host name, or empty.
    pub hostname: String,
    pub policy: String,
    /// `None`: all rules of the policy.
    pub rule: Option<String>,
    /// One sentence.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyList {
    pub policies: Vec<PolicySummary>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySummary {
    pub name: String,
    pub description: String,
    /// Newest version.
    pub version: u64,
    pub rules: u32,
    pub assignments: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub updated_by: String,
    /// What an operator should know about it, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// Default: the newest.
    pub version: Option<u64>,
}

/// One version with its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyDocument {
    pub name: String,
    #[serde(flatten)]
    pub version: PolicyVersion,
    pub yaml: String,
    pub assignments: Vec<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersionList {
    pub name: String,
    /// Newest first.
    pub versions: Vec<PolicyVersion>,
}

/// One version without its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub version: u64,
    /// SHA-256 of the text, hex.
    pub sha256: String,
    pub rules: u32,
    pub created_at: Timestamp,
    pub created_by: String,
    /// The version this one brought back.
    pub rollback_of: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffQuery {
    /// Default: the version before `to`.
    pub from: Option<u64>,
    /// Default: the newest.
    pub to: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyDiff {
    pub name: String,
    /// 0 stands for the empty text before version 1.
    pub from: u64,
    pub to: u64,
    /// Unified diff with three lines of context; empty when the texts are equal.
    pub unified: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The version whose text becomes the newest version.
    pub version: u64,
}

/// Switches one rule of a policy, in a version of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    pub rule: String,
    pub enabled: bool,
    /// Kept with the change; may be empty.
    #[serde(default)]
    pub reason: String,
}

/// Which hosts an assignment is for.
///
/// When several assignments of one policy with the same agent types hold for a host, the most
/// specific one counts: host, then label, then all; among labels the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    All,
    /// UUID or host name.
    Host {
        host: String,
    },
    Label {
        key: String,
        value: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    pub target: Target,
    /// Empty: every agent.
    #[serde(default)]
    pub agent_types: Vec<String>,
    #[serde(default)]
    pub mode: Mode,
    /// `None`: always the newest version.
    #[serde(default)]
    pub version: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignAnswer {
    pub assignment: Assignment,
    /// Hosts that are not revoked and match the target now.
    pub hosts: u64,
    /// What those hosts do not enforce.
    pub limits: Vec<HostLimit>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentQuery {
    pub policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignmentList {
    pub assignments: Vec<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    pub id: Uuid,
    pub policy: String,
    /// `None`: always the newest version.
    pub version: Option<u64>,
    /// A host is named by its UUID.
    pub target: Target,
    pub agent_types: Vec<String>,
    pub mode: Mode,
    pub created_at: Timestamp,
    pub created_by: String,
}
