//! Questions as people write them: resources and times of the command line and of test cases.

use std::net::{IpAddr, SocketAddr};

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

use crate::model::action::Action;
use crate::model::resource::{Protocol, Resource};

use super::moment::Moment;

/// The text asks about nothing that exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QuestionError {
    pub message: String,
    /// How to write it.
    pub help: &'static str,
}

/// Longest path, in bytes, as Linux has it.
pub const PATH_BYTES_MAX: usize = 4096;

/// What stands before the name of an abstract unix socket.
pub const ABSTRACT_PREFIX: &[u8] = b"/abstract:";

fn refuse<T>(message: String, help: &'static str) -> Result<T, QuestionError> {
    Err(QuestionError { message, help })
}

/// The resource that `text` means for `action`: a path; `ip:port/proto`, `[v6]:port/proto`; or a
/// server name, of which the empty one is a handshake without a readable name.
pub fn resource(action: Action, text: &str) -> Result<Resource, QuestionError> {
    match action {
        Action::FileRead | Action::FileWrite | Action::Exec => {
            path(text).map(|path| Resource::Paths(vec![path]))
        }
        Action::NetConnect => address(text),
        Action::TlsConnect => server_name(text),
    }
}

/// An absolute path. `\xNN` stands for a byte that cannot be written, as in events.
pub fn path(text: &str) -> Result<Vec<u8>, QuestionError> {
    const HELP: &str = "write the absolute path of a file, without `.`, `..` and `//`";
    let path = unescaped(text);
    if path.len() > PATH_BYTES_MAX {
        return refuse(
            format!("path of {} bytes: at most {PATH_BYTES_MAX}", path.len()),
            HELP,
        );
    }
    let Some(names) = path.strip_prefix(b"/") else {
        return refuse(format!("`{text}` is not an absolute path"), HELP);
    };
    // The name of an abstract socket is no path: every byte of it may be anything.
    if path.starts_with(ABSTRACT_PREFIX) {
        return Ok(path);
    }
    let odd = |name: &[u8]| matches!(name, b"" | b"." | b"..") || name.contains(&0);
    if !names.is_empty() && names.split(|byte| *byte == b'/').any(odd) {
        return refuse(format!("`{text}` is not a real path"), HELP);
    }
    Ok(path)
}

/// The bytes of which `model::event::path_text` made `text`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let escaped = hex.and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
        });
        match escaped.filter(|_| *byte == b'\\') {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    bytes
}

fn address(text: &str) -> Result<Resource, QuestionError> {
    const HELP: &str = "write it as 10.1.2.3:443/tcp or [2001:db8::1]:443/udp";
    let parsed = text.rsplit_once('/').and_then(|(socket, protocol)| {
        let socket: SocketAddr = socket.parse().ok()?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            number => Protocol::from_number(number.parse().ok()?),
        };
        Some((socket, protocol))
    });
    let Some((socket, protocol)) = parsed else {
        return refuse(
            format!("`{text}` is not an address with port and protocol"),
            HELP,
        );
    };
    let ip: IpAddr = socket.ip().to_canonical();
    Ok(Resource::Address {
        ip,
        port: socket.port(),
        protocol,
    })
}

fn server_name(text: &str) -> Result<Resource, QuestionError> {
    const HELP: &str = "write a host name such as api.example.com, or nothing for no name";
    if text.is_empty() {
        return Ok(Resource::ServerName(None));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name.is_empty() || name.contains(odd) {
        return refuse(format!("`{text}` is not a host name"), HELP);
    }
    Ok(Resource::ServerName(Some(name)))
}

/// An RFC 3339 time, read as the wall clock it shows in its own offset.
pub fn moment(text: &str) -> Result<Moment, QuestionError> {
    const HELP: &str = "write a time with its offset, such as 2026-11-21T23:30:00+01:00";
    let pieces = Pieces::parse(text).ok();
    let parts = pieces
        .filter(|pieces| pieces.offset().is_some() && pieces.time_zone_annotation().is_none());
    match parts.and_then(|pieces| Some((pieces.date(), pieces.time()?))) {
        Some((date, time)) => Ok(Moment::from_civil(DateTime::from_parts(date, time))),
        None => refuse(format!("`{text}` is not a time with an offset"), HELP),
    }
}

#[cfg(test)]
mod tests;
