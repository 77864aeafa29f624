//! Path patterns: `*`, `?`, `[abc]` inside a component, `**` as a whole component.
//!
//! Patterns are compared with whole paths, byte for byte. `matches` is the plain definition of
//! what a pattern means; the automaton in `compile` is held to it by property tests.

mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest pattern in bytes; no path that Linux accepts is longer.
pub const PATTERN_BYTES_MAX: usize = 4096;

/// A checked pattern. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern {
    text: Arc<str>,
    components: Arc<[Component]>,
}

/// One part of a pattern between slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Component {
    /// `**`: zero or more components; at the end of a pattern one or more.
    AnyDepth,
    /// One component; no token of it matches `/`.
    Segment(Vec<Token>),
    /// The whole path, and the only component: here `AnyRun` also crosses `/`, as `*` does in a
    /// Cedar `like`.
    Whole(Vec<Token>),
}

/// What a component is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Token {
    Byte(u8),
    /// `?`: one byte.
    AnyByte,
    /// `*`: any number of bytes.
    AnyRun,
    /// `[abc]`, `[a-z]`, `[!a]`: one byte of the set.
    Set(Box<ByteSet>),
}

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ByteSet([u64; 4]);

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

/// A piece of a Cedar `like` pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikePiece<'a> {
    Literal(&'a str),
    Wildcard,
}

impl Pattern {
    /// Reads a pattern as written in a policy.
    ///
    /// # Errors
    /// Says what is wrong and where: an empty or too long pattern, an unclosed or reversed set,
    /// `**` inside a component, `//`, `.` or `..`, a trailing slash, a NUL byte.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        Ok(Pattern {
            text: text.into(),
            components: read::components(text)?.into(),
        })
    }

    /// The pattern that matches exactly this absolute path.
    pub fn from_literal(path: &[u8]) -> Pattern {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let components: Vec<Component> = path
            .split(|&byte| byte == b'/')
            .map(|part| Component::Segment(part.iter().map(|&byte| Token::Byte(byte)).collect()))
            .collect();
        Pattern {
            text: read::text_of_literal(path).into(),
            components: components.into(),
        }
    }

    /// The pattern that a Cedar `like` stands for, compared with a whole path.
    pub fn from_cedar_like(pieces: &[LikePiece<'_>]) -> Pattern {
        let mut tokens = Vec::new();
        let mut text = String::from("like ");
        for piece in pieces {
            match piece {
                LikePiece::Literal(literal) => {
                    tokens.extend(literal.bytes().map(Token::Byte));
                    text.push_str(&literal.replace('*', "\\*"));
                }
                LikePiece::Wildcard => {
                    if tokens.last() != Some(&Token::AnyRun) {
                        tokens.push(Token::AnyRun);
                    }
                    text.push('*');
                }
            }
        }
        Pattern {
            text: text.into(),
            components: [Component::Whole(tokens)].into(),
        }
    }

    /// As written. For a literal that is not UTF-8, and for a `like`, a text for people.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parts of the pattern after its leading slash. A relative pattern begins with
    /// `AnyDepth`; `AnyDepth` never follows itself.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The only path that this pattern matches, if there is just one.
    pub fn literal(&self) -> Option<Vec<u8>> {
        let mut path = Vec::new();
        for component in self.components.iter() {
            let Component::Segment(tokens) = component else {
                return None;
            };
            path.push(b'/');
            for token in tokens {
                let Token::Byte(byte) = token else {
                    return None;
                };
                path.push(*byte);
            }
        }
        Some(path)
    }

    /// Whether the pattern matches every path: `*`, `**`, `/**`, or the same written otherwise.
    pub fn is_everything(&self) -> bool {
        let any_run = |tokens: &[Token]| tokens == [Token::AnyRun];
        match &self.components[..] {
            [Component::AnyDepth] => true,
            [Component::AnyDepth, Component::Segment(name)] => any_run(name),
            [Component::Whole(tokens)] => any_run(tokens),
            _ => false,
        }
    }

    /// Whether the pattern matches this path. The root is the path `/`, whose only component is
    /// empty, so `*` and `/**` match it too. What does not begin with `/` is no path.
    pub fn matches(&self, path: &[u8]) -> bool {
        let Some(inside) = path.strip_prefix(b"/") else {
            return false;
        };
        if let [Component::Whole(tokens)] = &self.components[..] {
            let tokens: Vec<&Token> = tokens.iter().collect();
            return match_run(
                &tokens,
                path,
                |token| **token == Token::AnyRun,
                token_matches,
            );
        }
        let parts: Vec<&[u8]> = inside.split(|&byte| byte == b'/').collect();
        let any_name = Component::Segment(vec![Token::AnyRun]);
        let mut components: Vec<&Component> = self.components.iter().collect();
        if components.last() == Some(&&Component::AnyDepth) {
            components.push(&any_name);
        }
        match_run(
            &components,
            &parts,
            |component| **component == Component::AnyDepth,
            |component, part| component_matches(component, part),
        )
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl ByteSet {
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// Every byte that is not in the set, except `/`, which no set matches.
    #[must_use]
    pub fn inverted(&self) -> ByteSet {
        let mut other = ByteSet(self.0.map(|word| !word));
        other.0[usize::from(b'/' >> 6)] &= !(1 << (b'/' & 63));
        other
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..=u8::MAX).filter(|&byte| self.contains(byte)))
            .finish()
    }
}

impl Component {
    /// Whether it stands for this one name.
    pub fn matches(&self, name: &[u8]) -> bool {
        component_matches(self, name)
    }

    /// The only name that it stands for, if there is just one.
    pub fn literal(&self) -> Option<Vec<u8>> {
        let Component::Segment(tokens) = self else {
            return None;
        };
        let bytes = tokens.iter().map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            _ => None,
        });
        bytes.collect()
    }
}

fn component_matches(component: &Component, part: &[u8]) -> bool {
    let Component::Segment(tokens) = component else {
        return false;
    };
    let tokens: Vec<&Token> = tokens.iter().collect();
    match_run(
        &tokens,
        part,
        |token| **token == Token::AnyRun,
        token_matches,
    )
}

fn token_matches(token: &&Token, byte: &u8) -> bool {
    match token {
        Token::Byte(expected) => expected == byte,
        Token::AnyByte => *byte != b'/',
        Token::AnyRun => false,
        Token::Set(set) => set.contains(*byte),
    }
}

/// Wildcard match: `is_star` elements stand for any number of items, the others for one each.
/// Only the last star is ever tried again, so the time is at most the product of the lengths.
fn match_run<P, I>(
    pattern: &[P],
    items: &[I],
    is_star: impl Fn(&P) -> bool,
    matches_one: impl Fn(&P, &I) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while item < items.len() {
        if at < pattern.len() && is_star(&pattern[at]) {
            retry = Some((at, item));
            at += 1;
        } else if at < pattern.len() && matches_one(&pattern[at], &items[item]) {
            at += 1;
            item += 1;
        } else if let Some((star, taken)) = retry {
            retry = Some((star, taken + 1));
            at = star + 1;
            item = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_star)
}
