//! Rules and questions that name a path through a symlink also mean the path it leads to.
//!
//! The kernel compares real paths. `/bin/rm` on a system whose `/bin` is a symlink is never one;
//! the rule's author meant the program that is reached so.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::pattern::{Component, Pattern, Token};
use super::problem::Problem;
use super::rule::{Match, Policy};

/// The real path of something that exists, such as `std::fs::canonicalize` gives; `None` when it
/// does not exist or cannot be told.
pub type Resolver<'a> = &'a dyn Fn(&Path) -> Option<PathBuf>;

/// Adds to every path and binary of `policy` the real paths it leads to: of a literal the file
/// itself, and its name in the real directory; of a pattern the part before the first wildcard.
/// The same for paths that conditions compare with.
///
/// Returns warnings for real paths that no pattern can say.
pub fn resolve_symlinks(policy: &mut Policy, resolver: Resolver<'_>) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for (index, rule) in policy.rules.iter_mut().enumerate() {
        let mut warn = |field: &str, pattern: &Pattern, real: &Path| {
            warnings.push(Problem {
                source: String::new(),
                line: rule.line,
                column: 1,
                path: format!("spec.rules[{index}].{field}"),
                message: format!("`{pattern}` leads to {real:?}, which no pattern can say"),
                help: "rename the target, or name another directory above it".to_owned(),
                warning: true,
            });
        };
        if let Match::Path(patterns) = &mut rule.matches {
            extend(patterns, resolver, &mut |pattern, real| {
                warn("resource_pattern", pattern, real);
            });
        }
        if let Some(condition) = &rule.condition {
            rule.condition = Some(condition.with_real_paths(&|path| real_texts(path, resolver)));
        }
        extend(&mut rule.binaries, resolver, &mut |pattern, real| {
            warn("binaries", pattern, real);
        });
    }
    warnings
}

fn extend(
    patterns: &mut Vec<Pattern>,
    resolver: Resolver<'_>,
    warn: &mut dyn FnMut(&Pattern, &Path),
) {
    for pattern in patterns.clone() {
        for (real, rest) in real_beginnings(&pattern, resolver) {
            let added = if rest.is_empty() {
                Some(Pattern::from_literal(real.as_os_str().as_bytes()))
            } else {
                with_rest(&real, &rest)
            };
            match added {
                Some(added) if !patterns.contains(&added) => patterns.push(added),
                Some(_) => {}
                None => warn(&pattern, &real),
            }
        }
    }
}

/// Real paths of a literal in a condition, where they differ from it and are text.
fn real_texts(path: &str, resolver: Resolver<'_>) -> Vec<String> {
    if !path.starts_with('/') {
        return Vec::new();
    }
    let found = real_beginnings(&Pattern::from_literal(path.as_bytes()), resolver);
    found
        .into_iter()
        .filter_map(|(real, _)| real.into_os_string().into_string().ok())
        .collect()
}

/// Real paths of the part of `pattern` before its first wildcard, where they differ from it, each
/// with the rest of the pattern's text.
fn real_beginnings(pattern: &Pattern, resolver: Resolver<'_>) -> Vec<(PathBuf, String)> {
    let names = literal_names(pattern);
    if names.is_empty() {
        return Vec::new();
    }
    let texts: Vec<&str> = pattern
        .as_str()
        .trim_start_matches('/')
        .split('/')
        .collect();
    let mut found = Vec::new();
    if let Some(literal) = pattern.literal() {
        let path = PathBuf::from(OsStr::from_bytes(&literal));
        found.extend(
            resolver(&path)
                .filter(|real| *real != path)
                .map(|real| (real, String::new())),
        );
        let real = PathBuf::from(OsStr::from_bytes(&real_directory(&literal, resolver)));
        if real != path && found.iter().all(|(other, _)| *other != real) {
            found.push((real, String::new()));
        }
        return found;
    }
    for length in (1..=names.len()).rev() {
        let path = absolute(&names[..length]);
        if let Some(real) = resolver(&path) {
            if real != path {
                found.push((real, texts[length..].join("/")));
            }
            break;
        }
    }
    found
}

/// Leading components without wildcards; none for a pattern that is not absolute.
fn literal_names(pattern: &Pattern) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for component in pattern.components() {
        let Component::Segment(tokens) = component else {
            break;
        };
        let bytes: Option<Vec<u8>> = tokens
            .iter()
            .map(|token| match token {
                Token::Byte(byte) => Some(*byte),
                _ => None,
            })
            .collect();
        match bytes {
            Some(bytes) if !bytes.is_empty() => names.push(bytes),
            _ => break,
        }
    }
    names
}

fn absolute(names: &[Vec<u8>]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
    path
}

/// `real` as the literal beginning of a pattern that goes on with `rest`.
fn with_rest(real: &Path, rest: &str) -> Option<Pattern> {
    real.to_str()?;
    let beginning = Pattern::from_literal(real.as_os_str().as_bytes());
    let beginning = beginning.as_str().trim_end_matches('/');
    Pattern::parse(&format!("{beginning}/{rest}")).ok()
}

/// The path that the kernel sees when `path` is opened: its real path, or, when nothing is there,
/// the name in the real path of the nearest directory above that exists.
pub fn resolve_path(path: &[u8], resolver: Resolver<'_>) -> Vec<u8> {
    match resolver(Path::new(OsStr::from_bytes(path))) {
        Some(real) => real.as_os_str().as_bytes().to_vec(),
        None => real_directory(path, resolver),
    }
}

/// `path` with the directories above its last name resolved.
fn real_directory(path: &[u8], resolver: Resolver<'_>) -> Vec<u8> {
    let mut end = path.len();
    while let Some(slash) = path[..end].iter().rposition(|byte| *byte == b'/') {
        if slash == 0 {
            break;
        }
        if let Some(real) = resolver(Path::new(OsStr::from_bytes(&path[..slash]))) {
            let mut joined = real.as_os_str().as_bytes().to_vec();
            if joined == b"/" {
                joined.clear();
            }
            joined.extend_from_slice(&path[slash..]);
            return joined;
        }
        end = slash;
    }
    path.to_vec()
}

#[cfg(test)]
mod tests;
