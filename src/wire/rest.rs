//! JSON of every REST request and answer, shared by the server and the CLI.
//!
//! All paths lie below `/api/v1` unless they begin with `/`; times are RFC 3339 in UTC. A body
//! that is not JSON is said so. The role is the least one that may call.
//!
//! | method | path | role | takes | answers |
//! |---|---|---|---|---|
//! | GET | `/health` | | | [`Health`]; 503 while the database is away |
//! | GET | `/metrics` | | | Prometheus text |
//! | GET | `ca.pem` | | | PEM of the CA |
//! | GET | `whoami` | viewer | | [`WhoAmI`] |
//! | GET | `hosts` | viewer | | [`HostList`] |
//! | GET | `hosts/HOST` | viewer | | [`Host`] |
//! | POST | `hosts/HOST/revoke` | admin | | [`Host`] |
//! | POST | `hosts/HOST/break-glass` | admin | [`BreakGlassRequest`] | [`Host`] |
//! | DELETE | `hosts/HOST/break-glass` | admin | | 204 |
//! | GET | `agents` | viewer | [`AgentQuery`] | [`AgentList`] |
//! | GET | `agents/ID` | viewer | | [`Agent`] |
//! | POST | `policies` | operator | [`ApplyQuery`], body YAML | [`ApplyAnswer`] |
//! | GET | `policies` | viewer | | [`PolicyList`] |
//! | GET | `policies/NAME` | viewer | [`PolicyQuery`] | [`PolicyDocument`] |
//! | GET | `policies/NAME/versions` | viewer | | [`PolicyVersionList`] |
//! | GET | `policies/NAME/diff` | viewer | [`DiffQuery`] | [`PolicyDiff`] |
//! | POST | `policies/NAME/rollback` | operator | [`RollbackRequest`] | [`PolicyDocument`] |
//! | POST | `policies/NAME/switch` | operator | [`SwitchRequest`] | [`PolicyDocument`] |
//! | POST | `policies/NAME/assign` | operator | [`AssignRequest`] | [`AssignAnswer`] |
//! | GET | `assignments` | viewer | [`AssignmentQuery`] | [`AssignmentList`] |
//! | DELETE | `assignments/ID` | operator | | 204 |
//! | GET | `events` | viewer | [`EventQuery`] | [`EventPage`] |
//! | GET | `events/stream` | viewer | [`EventQuery`] | server-sent events: [`EventRecord`] |
//! | POST | `enrollment-tokens` | operator | [`EnrollmentTokenRequest`] | [`EnrollmentTokenSecret`] |
//! | GET | `enrollment-tokens` | operator | | [`EnrollmentTokenList`] |
//! | DELETE | `enrollment-tokens/ID` | operator | | 204 |
//! | POST | `api-tokens` | admin | [`ApiTokenRequest`] | [`ApiTokenSecret`] |
//! | GET | `api-tokens` | admin | | [`ApiTokenList`] |
//! | DELETE | `api-tokens/ID` | admin | | 204 |
//! | GET | `changes` | admin | [`ChangeQuery`] | [`ChangeList`] |
//!
//! `HOST` is a host's UUID or, when only one host has it, its host name. Requests carry
//! `Authorization: Bearer TOKEN`. Every refusal is `application/problem+json`: [`Refusal`].

mod events;
mod fleet;
mod policies;
mod tokens;

pub use events::{EventPage, EventQuery, EventRecord};
pub use fleet::{
    Agent, AgentList, AgentQuery, BREAK_GLASS_S_MAX, BreakGlass, BreakGlassRequest, Enforcement,
    Health, Host, HostList,
};
pub use policies::{
    AppliedPolicy, ApplyAnswer, ApplyOutcome, ApplyQuery, AssignAnswer, AssignRequest, Assignment,
    AssignmentList, AssignmentQuery, DiffQuery, HostLimit, PolicyDiff, PolicyDocument, PolicyList,
    PolicyQuery, PolicySummary, PolicyVersion, PolicyVersionList, RollbackRequest, SwitchRequest,
    Target,
};
pub use tokens::{
    ApiToken, ApiTokenList, ApiTokenRequest, ApiTokenSecret, Change, ChangeList, ChangeQuery,
    EnrollmentToken, EnrollmentTokenList, EnrollmentTokenRequest, EnrollmentTokenSecret, Role,
    TokenState, WhoAmI,
};

use serde::{Deserialize, Serialize};

use crate::policy::problem::Problem;

/// The body of every answer that is not a success (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// `about:blank`, or `urn:tyr:problem:policy` when `problems` is not empty.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What is wrong with this request and how to mend it.
    pub detail: String,
    /// Everything that is wrong with a policy, in the order of its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// Media type of [`Refusal`].
pub const PROBLEM_JSON: &str = "application/problem+json";
