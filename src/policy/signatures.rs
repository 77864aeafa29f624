//! How agents are recognised: the built-in signatures and those that operators add.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;

const BUILTIN: &str = include_str!("signatures.yaml");

/// Number of the first signature that is not built in. Smaller numbers are kept for the built-in
/// ones, whose order is append-only, so that a number means the same on every version of Tyr.
pub const FIRST_OPERATOR_NUMBER: u16 = 512;
/// One more than the largest number: `TYR_AGENT_TYPES_MAX` of the policy image.
pub const NUMBERS_MAX: u16 = 1024;
/// Most bytes of a signature file.
pub const SIGNATURES_BYTES_MAX: usize = 256 * 1024;

/// One way to recognise an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What rules name in `agent_types`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Stable and never 0.
    pub number: u16,
    /// Executables that are the agent.
    pub exe: Vec<Pattern>,
    /// Files that make an interpreter the agent when it runs or opens one of them.
    pub open: Vec<Pattern>,
}

/// All signatures of a host; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatures {
    /// Sorted by number.
    signatures: Vec<Signature>,
    interpreters: Vec<Pattern>,
}

/// A signature file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {message}")]
pub struct SignatureError {
    pub source_name: String,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    interpreters: Vec<String>,
    #[serde(default)]
    signatures: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    name: Option<String>,
    #[serde(default)]
    exe: Vec<String>,
    #[serde(default)]
    open: Vec<String>,
}

impl Signatures {
    /// The signatures that Tyr comes with.
    ///
    /// # Panics
    /// Never: a test parses the same text.
    pub fn builtin() -> Signatures {
        match Signatures::default().extend("built-in signatures", BUILTIN, 1) {
            Ok(signatures) => signatures,
            Err(error) => unreachable!("{error}"),
        }
    }

    /// The built-in signatures and those of operators' files, given as (file name, text). An id
    /// that exists already gets more patterns. New ids are numbered in alphabetical order.
    ///
    /// # Errors
    /// A file that is not a signature file, has a bad pattern, or too many signatures in all.
    pub fn with_files(files: &[(String, String)]) -> Result<Signatures, SignatureError> {
        let mut all = Signatures::builtin();
        let mut added = Signatures::default();
        for (name, text) in files {
            added = added.extend(name, text, FIRST_OPERATOR_NUMBER)?;
        }
        all.interpreters.extend(added.interpreters);
        added.signatures.sort_by(|a, b| a.id.cmp(&b.id));
        let mut number = FIRST_OPERATOR_NUMBER;
        for mut signature in added.signatures {
            if let Some(known) = all
                .signatures
                .iter_mut()
                .find(|known| known.id == signature.id)
            {
                known.exe.append(&mut signature.exe);
                known.open.append(&mut signature.open);
                continue;
            }
            if number == NUMBERS_MAX {
                return Err(SignatureError {
                    source_name: files
                        .last()
                        .map(|(name, _)| name.clone())
                        .unwrap_or_default(),
                    message: format!(
                        "more than {} signatures: remove some",
                        NUMBERS_MAX - FIRST_OPERATOR_NUMBER
                    ),
                });
            }
            all.signatures.push(Signature {
                number,
                ..signature
            });
            number += 1;
        }
        Ok(all)
    }

    fn extend(mut self, name: &str, text: &str, first: u16) -> Result<Signatures, SignatureError> {
        let refused = |message: String| SignatureError {
            source_name: name.to_owned(),
            message,
        };
        if text.len() > SIGNATURES_BYTES_MAX {
            return Err(refused(format!(
                "{} bytes: at most {SIGNATURES_BYTES_MAX} are read",
                text.len()
            )));
        }
        let file: File = crate::yaml::from_str(text).map_err(|error| refused(error.to_string()))?;
        self.interpreters
            .extend(patterns(&file.interpreters, "interpreters").map_err(refused)?);
        let mut seen = BTreeSet::new();
        for entry in file.signatures {
            check_id(&entry.id).map_err(refused)?;
            if !seen.insert(entry.id.clone()) {
                return Err(refused(format!(
                    "id `{}` appears twice: join the two",
                    entry.id
                )));
            }
            let exe = patterns(&entry.exe, &entry.id).map_err(refused)?;
            let open = patterns(&entry.open, &entry.id).map_err(refused)?;
            let known = self
                .signatures
                .iter_mut()
                .find(|known| known.id == entry.id);
            if let Some(known) = known {
                known.exe.extend(exe);
                known.open.extend(open);
                continue;
            }
            let number = first.saturating_add(u16::try_from(self.signatures.len()).unwrap_or(0));
            let name = entry.name.unwrap_or_else(|| entry.id.clone());
            self.signatures.push(Signature {
                id: entry.id,
                name,
                number,
                exe,
                open,
            });
        }
        Ok(self)
    }

    /// Every signature, sorted by number.
    pub fn all(&self) -> &[Signature] {
        &self.signatures
    }

    /// Executables whose files and scripts are looked at.
    pub fn interpreters(&self) -> &[Pattern] {
        &self.interpreters
    }

    /// Every id, sorted by number.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.signatures
            .iter()
            .map(|signature| signature.id.as_str())
    }

    /// The number of an id.
    pub fn number(&self, id: &str) -> Option<u16> {
        self.signatures
            .iter()
            .find(|signature| signature.id == id)
            .map(|found| found.number)
    }

    /// The id of a number.
    pub fn id(&self, number: u16) -> Option<&str> {
        let index = self
            .signatures
            .binary_search_by_key(&number, |found| found.number)
            .ok()?;
        Some(&self.signatures[index].id)
    }

    /// What a path is recognised as, by patterns alone: (agent by its executable, agent by an
    /// opened file, interpreter). The image holds the same answers as an automaton.
    pub fn recognise(&self, path: &[u8]) -> Recognised {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(path));
        let by = |which: fn(&Signature) -> &Vec<Pattern>| {
            let found = self
                .by_priority()
                .find(|signature| matches(which(signature)));
            found.map(|signature| signature.number)
        };
        Recognised {
            exe: by(|signature| &signature.exe),
            open: by(|signature| &signature.open),
            interpreter: matches(&self.interpreters),
        }
    }

    /// In the order in which they are tried: operators' own first.
    pub fn by_priority(&self) -> impl Iterator<Item = &Signature> {
        let own = |signature: &&Signature| signature.number >= FIRST_OPERATOR_NUMBER;
        let operators = self.signatures.iter().filter(own);
        operators.chain(
            self.signatures
                .iter()
                .filter(move |signature| !own(signature)),
        )
    }
}

/// What a path says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Agent that an executable of this path is.
    pub exe: Option<u16>,
    /// Agent that an interpreter becomes by running or opening a file of this path.
    pub open: Option<u16>,
    pub interpreter: bool,
}

fn patterns(texts: &[String], place: &str) -> Result<Vec<Pattern>, String> {
    texts
        .iter()
        .map(|text| {
            Pattern::parse(text).map_err(|error| format!("{place}: `{text}`: {}", error.message))
        })
        .collect()
}

fn check_id(id: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Err(format!(
            "id `{id}`: use 1 to 64 lower-case letters, digits and hyphens"
        ));
    }
    Ok(())
}

/// Numbers by id, for messages that carry many.
impl From<&Signatures> for BTreeMap<String, u16> {
    fn from(signatures: &Signatures) -> BTreeMap<String, u16> {
        signatures
            .all()
            .iter()
            .map(|found| (found.id.clone(), found.number))
            .collect()
    }
}
