//! Which server names a `tls_connect` rule matches.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Longest host name, in bytes (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
/// Longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A checked `sni_pattern`: one or more alternatives separated by `|`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerNamePattern {
    text: String,
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Alternative {
    /// `*`
    Any,
    /// `*.example.com`, kept as `.example.com`
    Below(String),
    Exactly(String),
}

/// The text is not a server name pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SniError {
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl ServerNamePattern {
    /// Reads `*.openai.com|api.anthropic.com`. Case does not matter; blanks around `|` and one
    /// trailing dot per name are dropped.
    ///
    /// # Errors
    /// An empty alternative, `*` elsewhere than as the whole first label, or what is no host name.
    pub fn parse(text: &str) -> Result<ServerNamePattern, SniError> {
        let mut alternatives = Vec::new();
        let mut offset = 0;
        for part in text.split('|') {
            let lead = part.len() - part.trim_start().len();
            alternatives.push(read_alternative(part.trim(), offset + lead)?);
            offset += part.len() + 1;
        }
        Ok(ServerNamePattern {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches the name in a ClientHello.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        !name.is_empty()
            && self
                .alternatives
                .iter()
                .any(|alternative| match alternative {
                    Alternative::Any => true,
                    Alternative::Below(suffix) => {
                        name.len() > suffix.len() && name.ends_with(suffix.as_str())
                    }
                    Alternative::Exactly(exact) => name == *exact,
                })
    }
}

impl fmt::Display for ServerNamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn read_alternative(text: &str, offset: usize) -> Result<Alternative, SniError> {
    let error = |at: usize, message: String| {
        Err(SniError {
            message,
            offset: offset + at,
        })
    };
    if text.is_empty() {
        return error(
            0,
            "empty server name: leave sni_pattern out to match every handshake".into(),
        );
    }
    if text == "*" {
        return Ok(Alternative::Any);
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let (below, body) = match name.strip_prefix("*.") {
        Some(body) => (true, body),
        None => (false, name),
    };
    let skipped = name.len() - body.len();
    if body.parse::<IpAddr>().is_ok() {
        return error(
            0,
            format!("`{body}` is an address: a handshake names hosts; use net_connect"),
        );
    }
    if body.len() > NAME_BYTES_MAX {
        return error(
            skipped,
            format!("name of {} bytes: at most {NAME_BYTES_MAX}", body.len()),
        );
    }
    let mut at = skipped;
    for label in body.split('.') {
        if let Some(message) = wrong_with_label(label) {
            return error(at, message);
        }
        at += label.len() + 1;
    }
    let body = body.to_ascii_lowercase();
    Ok(if below {
        Alternative::Below(format!(".{body}"))
    } else {
        Alternative::Exactly(body)
    })
}

fn wrong_with_label(label: &str) -> Option<String> {
    if label.is_empty() {
        return Some("empty label: two dots in a row, or a dot at the start".into());
    }
    if label.contains('*') {
        return Some("`*` is only possible as the whole first label, as in `*.example.com`".into());
    }
    if !label.is_ascii() {
        return Some(format!(
            "`{label}`: write the ASCII form of the name, which begins with xn--"
        ));
    }
    if label.len() > LABEL_BYTES_MAX {
        return Some(format!(
            "label of {} bytes: at most {LABEL_BYTES_MAX}",
            label.len()
        ));
    }
    let odd = label
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || *c == '-' || *c == '_'))?;
    Some(format!("`{odd}` cannot be part of a host name"))
}
