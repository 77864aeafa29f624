//! What a condition compares a path, a name, an address, a port or a protocol with.

use std::net::IpAddr;

use serde_json::Value;

use crate::model::resource::Protocol;

use super::attribute::Attribute;

/// An attribute whose comparisons are folded into the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `resource.path`
    Path,
    /// `principal.exe`
    Exe,
    /// `resource.sni`
    Sni,
    /// `resource.address`
    Address,
    /// `resource.port`
    Port,
    /// `resource.protocol`
    Protocol,
}

impl Subject {
    pub(super) fn of(attribute: Attribute) -> Option<Subject> {
        match attribute {
            Attribute::Path => Some(Subject::Path),
            Attribute::Exe => Some(Subject::Exe),
            Attribute::Sni => Some(Subject::Sni),
            Attribute::Address => Some(Subject::Address),
            Attribute::Port => Some(Subject::Port),
            Attribute::Protocol => Some(Subject::Protocol),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Path => "resource.path",
            Subject::Exe => "principal.exe",
            Subject::Sni => "resource.sni",
            Subject::Address => "resource.address",
            Subject::Port => "resource.port",
            Subject::Protocol => "resource.protocol",
        }
    }

    /// Whether `operator` compares the subject with one literal.
    pub(super) fn is_compared_by(self, operator: &str) -> bool {
        match operator {
            "==" | "!=" => true,
            "<" | "<=" | ">" | ">=" => self == Subject::Port,
            _ => false,
        }
    }

    /// Whether a literal is of the subject's type.
    pub(super) fn is_like(self, literal: &Value) -> bool {
        if self == Subject::Port {
            literal.is_i64()
        } else {
            literal.is_string()
        }
    }
}

/// One comparison. Two resources that agree on every atom of a condition get the same answer
/// from it, so the compiler makes each atom a pattern and asks about one resource of each class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Atom {
    /// Byte for byte equal. The subject is a path or a name.
    Literal { subject: Subject, bytes: Vec<u8> },
    /// Cedar's `like`: `Any` is zero or more characters of any kind, `/` included.
    Like {
        subject: Subject,
        parts: Vec<LikePart>,
    },
    /// One address; IPv4-mapped ones are already IPv4.
    Address(IpAddr),
    /// Ports from `first` to `last`, both among them.
    Ports { first: u16, last: u16 },
    /// One protocol, by its IP protocol number.
    Protocol(u8),
}

impl Atom {
    /// What the comparison of `subject` with a literal in canonical form tells apart; `subject`
    /// stands on the left of `operator`. `None`: nothing, as the answer is always the same.
    pub(super) fn of_literal(subject: Subject, operator: &str, literal: &Value) -> Option<Atom> {
        match subject {
            Subject::Address => literal.as_str()?.parse().ok().map(Atom::Address),
            Subject::Protocol => protocol_number(literal.as_str()?).map(Atom::Protocol),
            Subject::Port => {
                let port = u16::try_from(literal.as_i64()?).ok()?;
                let (first, last) = match operator {
                    "<" => (0, port.checked_sub(1)?),
                    "<=" => (0, port),
                    ">" => (port.checked_add(1)?, u16::MAX),
                    ">=" => (port, u16::MAX),
                    _ => (port, port),
                };
                Some(Atom::Ports { first, last })
            }
            Subject::Path | Subject::Exe | Subject::Sni => {
                let bytes = literal.as_str()?.as_bytes().to_vec();
                Some(Atom::Literal { subject, bytes })
            }
        }
    }
}

/// The number of a protocol that is written as `Protocol::name` does, or as any number that means
/// it. A key of the kernel's tables has one byte for it, and 255 in it stands for all that do not
/// fit, so a condition cannot name those.
pub(super) fn protocol_number(text: &str) -> Option<u8> {
    let protocol = match text {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        number => Protocol::from_number(number.parse().ok()?),
    };
    let number = protocol.number();
    u8::try_from(number).ok().filter(|&number| number < u8::MAX)
}

/// A piece of a `like` pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LikePart {
    Any,
    Text(String),
}

/// Characters that stand for bytes that are not UTF-8 where a path becomes a Cedar string: the
/// last 256 of the private planes. A condition cannot name them.
const RESERVED_FIRST: u32 = 0x10_FF00;

pub(super) fn is_reserved(character: char) -> bool {
    u32::from(character) >= RESERVED_FIRST
}

/// A path as a Cedar string. Text stays as it is; any other byte becomes a reserved character, so
/// it equals no literal and is still matched by a `*`.
pub(super) fn cedar_text(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let stand_in = char::from_u32(RESERVED_FIRST + u32::from(*byte));
            text.push(stand_in.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
    text
}
