//! One record of the audit, as the daemon makes it and the server keeps it.

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::verdict::{Severity, Verdict};

/// One numbered record of a host's audit.
///
/// `sequence` and the hash chain belong to the spool and are not part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Wall clock when the kernel decided, nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boot_ns: u64,
    pub process: Process,
    /// `None` for events about the host itself.
    pub agent: Option<AgentRef>,
    pub body: Body,
}

/// The process that acted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub parent_pid: u32,
    /// CLOCK_BOOTTIME of its start: with `pid` and the boot it names the process.
    pub start_boot_ns: u64,
    pub uid: u32,
    pub user: String,
    /// Real path of the executable, escaped losslessly (see `path_text`).
    pub exe: String,
    pub comm: String,
    /// Arguments, with secrets removed.
    pub args: Vec<String>,
    /// Container id, empty on the host.
    pub container: String,
    /// Ancestors up to the agent's root process, nearest first.
    pub lineage: Vec<Ancestor>,
}

/// One ancestor in a lineage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ancestor {
    pub pid: u32,
    pub exe: String,
}

/// The agent session an event belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentRef {
    /// Unique over all hosts and boots.
    pub id: String,
    /// Signature id, such as `claude-code`.
    pub agent_type: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    Operation(Operation),
    /// A session was recognised.
    AgentStarted {
        evidence: String,
    },
    AgentEnded,
    /// Records are missing: `count` of them between this event and the one before it.
    Lost {
        cause: String,
        count: u64,
    },
    /// The set of policies in force changed.
    PolicyApplied {
        generation: u32,
        policies: Vec<String>,
        limits: Vec<String>,
    },
    /// Something an operator should know about the host.
    Alarm {
        message: String,
    },
}

/// One decided operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub action: Action,
    /// Path, `ip:port/proto`, or server name; escaped losslessly.
    pub resource: String,
    pub verdict: Verdict,
    /// Whether the verdict was enforced; false in monitor mode and in observe mode.
    pub enforced: bool,
    pub severity: Severity,
    /// Policy that decided; `None` is the default.
    pub policy: Option<String>,
    pub policy_version: Option<u64>,
    pub rule: Option<String>,
    /// Empty, or why the verdict is not simply the rule's (`path not settled`, `path too long`, …).
    pub reason: String,
    /// How many identical operations of the same process this event stands for; at least 1.
    pub count: u64,
}

/// Bytes of a path as text that loses nothing: printable UTF-8 stays, every other byte and the
/// backslash become `\xNN`.
pub fn path_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    text.push_str(&format!("\\x{byte:02x}"));
                }
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
