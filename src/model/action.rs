//! What an agent does that a rule can govern.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A governed operation. The numbers are those of `enum tyr_action` in `bpf/include/image.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Action {
    FileRead = 0,
    FileWrite = 1,
    Exec = 2,
    NetConnect = 3,
    TlsConnect = 4,
}

impl Action {
    pub const ALL: [Action; 5] = [
        Action::FileRead,
        Action::FileWrite,
        Action::Exec,
        Action::NetConnect,
        Action::TlsConnect,
    ];

    /// The name used in policies, events and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Action::FileRead => "file_read",
            Action::FileWrite => "file_write",
            Action::Exec => "exec",
            Action::NetConnect => "net_connect",
            Action::TlsConnect => "tls_connect",
        }
    }

    /// Whether the resource of this action is a path.
    pub fn takes_path(self) -> bool {
        matches!(self, Action::FileRead | Action::FileWrite | Action::Exec)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of an action.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an action: expected file_read, file_write, exec, net_connect or tls_connect")]
pub struct UnknownAction(pub String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Action, UnknownAction> {
        Action::ALL
            .into_iter()
            .find(|action| action.name() == text)
            .ok_or_else(|| UnknownAction(text.to_owned()))
    }
}
