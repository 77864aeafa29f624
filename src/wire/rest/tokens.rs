//! Credentials, and the record of administrative changes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a bearer token may do; each role may do all that a smaller one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also changes policies, assignments and enrolment tokens.
    Operator,
    /// Also revokes hosts and manages API tokens.
    Admin,
}

impl Role {
    /// The name used in JSON, SQL and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role: expected viewer, operator or admin")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        [Role::Viewer, Role::Operator, Role::Admin]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// Name of the token.
    pub name: String,
    pub role: Role,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentTokenRequest {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// 1 to 10,000; default 1.
    #[serde(default)]
    pub uses_max: Option<u32>,
    /// 1 to 2,592,000 (30 days); default 3,600.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
}

/// Answer to the creation: the only time the secret is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrollmentTokenSecret {
    /// `tyr_et_SECRET.FINGERPRINT`: 40 hex digits, a dot, SHA-256 of the CA certificate's DER as
    /// 64 hex digits.
    pub token: String,
    #[serde(flatten)]
    pub about: EnrollmentToken,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrollmentTokenList {
    pub tokens: Vec<EnrollmentToken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    Valid,
    UsedUp,
    Expired,
    Revoked,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrollmentToken {
    pub id: Uuid,
    pub description: String,
    pub uses: u32,
    pub uses_max: u32,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub state: TokenState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenRequest {
    /// Unique among tokens that are not revoked; 1 to 100 characters.
    pub name: String,
    pub role: Role,
    /// `None`: does not expire.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
}

/// Answer to the creation: the only time the secret is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiTokenSecret {
    /// `tyr_at_` and 40 hex digits.
    pub token: String,
    #[serde(flatten)]
    pub about: ApiToken,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiTokenList {
    pub tokens: Vec<ApiToken>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: Uuid,
    pub name: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub state: TokenState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeQuery {
    /// Changes with a smaller id.
    pub before: Option<u64>,
    /// 1 to 1,000; default 100.
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeList {
    /// Newest first.
    pub changes: Vec<Change>,
}

/// One administrative change, recorded in the transaction that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub id: u64,
    pub time: Timestamp,
    /// Name of the API token, `enrollment-token:UUID`, or `server`.
    pub who: String,
    /// Address the request came from; empty for the server itself.
    pub address: String,
    /// Such as `policy.apply`, `policy.assign`, `host.revoke`.
    pub what: String,
    /// What it was done to.
    pub object: String,
    pub detail: serde_json::Value,
}
