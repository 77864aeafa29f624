//! What an operation is about.

use std::net::IpAddr;

/// The object of one operation, as the reference evaluator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Every real path of the object on the host (and in its container), as bytes, each absolute.
    /// A pattern matches when it matches one of them. Never empty.
    Paths(Vec<Vec<u8>>),
    /// The other end of a connection. IPv4-mapped addresses are already IPv4.
    Address {
        ip: IpAddr,
        port: u16,
        protocol: Protocol,
    },
    /// A handshake; `None` is one without a readable name (no SNI, encrypted, QUIC).
    /// Lower case, no trailing dot.
    ServerName(Option<String>),
    /// A path that is too long or cannot be joined to the mount table, or an address of a family
    /// that rules cannot describe: every deny rule of the action matches, no other rule does.
    Unknown,
}

/// Transport protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    /// Any other, by its IP protocol number.
    Other(u16),
}

impl Protocol {
    /// From an `IPPROTO_*` number. MPTCP (262) is TCP to a policy.
    pub fn from_number(number: u16) -> Protocol {
        match number {
            6 | 262 => Protocol::Tcp,
            17 => Protocol::Udp,
            other => Protocol::Other(other),
        }
    }

    /// Its IP protocol number.
    pub fn number(self) -> u16 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Other(number) => number,
        }
    }

    /// `tcp`, `udp`, or the number.
    pub fn name(self) -> String {
        match self {
            Protocol::Tcp => "tcp".to_owned(),
            Protocol::Udp => "udp".to_owned(),
            Protocol::Other(number) => number.to_string(),
        }
    }
}
