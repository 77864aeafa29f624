//! What a policy means once its text has been checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::verdict::{Mode, Severity, Verdict};

use super::condition::Condition;
use super::network::AddressMatch;
use super::pattern::Pattern;
use super::sni::ServerNamePattern;

/// One checked policy document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    pub description: String,
    pub labels: BTreeMap<String, String>,
    /// The rules that hold.
    pub rules: Vec<Rule>,
    /// Rules that are switched off (`enabled: false`): checked like the others, and never asked.
    pub disabled: Vec<Rule>,
}

/// One rule, in the order of the document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    /// Why the rule is there; may be empty.
    pub description: String,
    pub action: Action,
    pub verdict: Verdict,
    pub severity: Severity,
    /// Executables the rule binds; empty binds all.
    pub binaries: Vec<Pattern>,
    /// Agent types the rule binds; empty binds all.
    pub agent_types: Vec<String>,
    pub matches: Match,
    pub condition: Option<Condition>,
    /// 1-based line of the rule in its document; 0: it is built in.
    pub line: u32,
}

/// Which resources a rule matches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Match {
    /// The literal as written, and its real path when it leads through a symlink.
    Path(Vec<Pattern>),
    Address(AddressMatch),
    /// `None` matches every handshake.
    ServerName(Option<ServerNamePattern>),
}

impl Match {
    /// Whether it matches whatever there is, so that nothing need be known of a resource.
    pub fn is_everything(&self) -> bool {
        match self {
            Match::Path(patterns) => patterns.iter().any(Pattern::is_everything),
            Match::Address(addresses) => addresses.is_everything(),
            Match::ServerName(pattern) => pattern.is_none(),
        }
    }
}

/// A policy that holds for a host, or for some agent types on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effective {
    pub policy: Arc<Policy>,
    pub version: u64,
    pub mode: Mode,
    /// Agent types of the assignment; empty is every agent.
    pub agent_types: Vec<String>,
}
