//! Who acts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fact::Fact;

/// A process as rules see it. What is not known counts in the direction that restricts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// Signature ids of the agents the process belongs to, outermost first; the rules of every
    /// one hold. Known and empty: the process is no agent's, and nothing governs it.
    pub agent_types: Fact<Vec<String>>,
    /// Id of the agent session.
    pub agent_id: Fact<String>,
    /// Name of the host.
    pub host: Fact<String>,
    pub host_labels: Fact<BTreeMap<String, String>>,
    /// Login name of the user the process runs as.
    pub user: Fact<String>,
    pub uid: Fact<u32>,
    /// Real path of the executable the process was started from.
    pub exe: Fact<Vec<u8>>,
    /// Container id; empty on the host itself.
    pub container: Fact<String>,
    /// Whether the session has a terminal.
    pub interactive: Fact<bool>,
}

impl Principal {
    /// An agent of one type of which nothing else is known.
    pub fn of_type(agent_type: &str) -> Principal {
        Principal {
            agent_types: Fact::Known(vec![agent_type.to_owned()]),
            ..Principal::default()
        }
    }
}
