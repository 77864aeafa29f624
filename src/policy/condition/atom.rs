//! What a condition compares a path, a name or an address with.

use std::net::IpAddr;

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
}

impl Subject {
    pub(super) fn of(attribute: Attribute) -> Option<Subject> {
        match attribute {
            Attribute::Path => Some(Subject::Path),
            Attribute::Exe => Some(Subject::Exe),
            Attribute::Sni => Some(Subject::Sni),
            Attribute::Address => Some(Subject::Address),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Path => "resource.path",
            Subject::Exe => "principal.exe",
            Subject::Sni => "resource.sni",
            Subject::Address => "resource.address",
        }
    }
}

/// One comparison. Two resources that agree on every atom of a condition get the same answer
/// from it, so the compiler makes each atom a pattern and asks about one resource of each class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Atom {
    /// Byte for byte equal. The subject is never `Address`.
    Literal { subject: Subject, bytes: Vec<u8> },
    /// Cedar's `like`: `Any` is zero or more characters of any kind, `/` included.
    Like {
        subject: Subject,
        parts: Vec<LikePart>,
    },
    /// One address; IPv4-mapped ones are already IPv4.
    Address(IpAddr),
}

impl Atom {
    /// The comparison of `subject` with a literal in canonical form. `None`: it is no address.
    pub(super) fn of_literal(subject: Subject, text: &str) -> Option<Atom> {
        if subject == Subject::Address {
            return text.parse().ok().map(Atom::Address);
        }
        let bytes = text.as_bytes().to_vec();
        Some(Atom::Literal { subject, bytes })
    }
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
