//! Agent sessions on this host.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::policy::fact::Fact;
use crate::policy::principal::Principal;

use super::kernel::Session;

/// Most sessions remembered: the kernel's own table is not larger.
pub const SESSIONS_MAX: usize = 16_384;

/// One agent session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Unique over hosts and boots, the same after a restart of the daemon.
    pub id: String,
    /// Signature ids, outermost first.
    pub agent_types: Vec<String>,
    pub root_pid: u32,
    pub root_start_boot_ns: u64,
    pub exe: String,
    pub user: String,
    pub uid: u32,
    pub container: String,
    pub interactive: bool,
    pub evidence: String,
    pub started_ns: i64,
}

impl Agent {
    /// Signature id of the innermost agent.
    pub fn agent_type(&self) -> &str {
        self.agent_types.last().map_or("", String::as_str)
    }

    /// What rules may ask of the session, on a host with the facts of `host`.
    pub fn principal(&self, host: &Principal) -> Principal {
        Principal {
            agent_types: Fact::Known(self.agent_types.clone()),
            agent_id: Fact::Known(self.id.clone()),
            user: Fact::Known(self.user.clone()),
            uid: Fact::Known(self.uid),
            container: Fact::Known(self.container.clone()),
            interactive: Fact::Known(self.interactive),
            ..host.clone()
        }
    }
}

/// All sessions by the kernel's number.
#[derive(Debug, Default)]
pub struct Sessions {
    by_number: HashMap<u64, Agent>,
}

impl Sessions {
    pub fn get(&self, number: u64) -> Option<&Agent> {
        self.by_number.get(&number)
    }

    /// Adds a session; past the bound it is not remembered and `false` comes back.
    pub fn insert(&mut self, number: u64, agent: Agent) -> bool {
        if self.by_number.len() >= SESSIONS_MAX && !self.by_number.contains_key(&number) {
            return false;
        }
        self.by_number.insert(number, agent);
        true
    }

    pub fn remove(&mut self, number: u64) -> Option<Agent> {
        self.by_number.remove(&number)
    }

    /// Sessions, sorted by number.
    pub fn all(&self) -> Vec<(u64, &Agent)> {
        let mut all: Vec<(u64, &Agent)> = self
            .by_number
            .iter()
            .map(|(number, agent)| (*number, agent))
            .collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all
    }
}

/// Id of a session: a version 8 UUID (RFC 9562) made of what is the same for every daemon that
/// sees the session: machine, boot, the kernel's number and the root process. The boot's id is
/// random, so copies of one machine differ too.
pub fn agent_id(machine_id: &str, boot_id: &str, session: &Session) -> String {
    let mut hash = Sha256::new();
    for part in ["tyr agent session", machine_id, boot_id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(session.number.to_be_bytes());
    hash.update(session.root_pid.to_be_bytes());
    hash.update(session.root_start_boot_ns.to_be_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::agent_id;
    use crate::daemon::kernel::Session;

    fn session(number: u64, root_pid: u32, root_start_boot_ns: u64) -> Session {
        Session {
            number,
            agent_types: vec![],
            root_pid,
            root_start_boot_ns,
        }
    }

    #[test]
    fn ids_differ_by_everything_that_names_a_session() {
        let one = agent_id("h", "b", &session(1, 2, 3));
        assert_eq!(one, agent_id("h", "b", &session(1, 2, 3)));
        let others = [
            agent_id("h2", "b", &session(1, 2, 3)),
            agent_id("h", "b2", &session(1, 2, 3)),
            agent_id("hb", "", &session(1, 2, 3)),
            agent_id("h", "b", &session(2, 2, 3)),
            agent_id("h", "b", &session(1, 3, 3)),
            agent_id("h", "b", &session(1, 2, 4)),
        ];
        let all: HashSet<&String> = others.iter().chain([&one]).collect();
        assert_eq!(all.len(), 7);
        assert_eq!(uuid::Uuid::parse_str(&one).unwrap().get_version_num(), 8);
    }
}
