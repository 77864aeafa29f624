//! Command lines without their secrets.
//!
//! An argument is looked at word by word, because a shell's `-c` argument is a command line of
//! its own. What names a secret, and what looks like one, is replaced; the rest stays readable.

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";
/// More arguments than this are cut off, and so is a longer argument.
pub const ARGS_MAX: usize = 64;
pub const ARG_BYTES_MAX: usize = 1024;

/// Names whose value is a secret, when the name contains one of these.
const NAMES: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "api-key",
    "apikey",
    "api_key",
    "access-key",
    "access_key",
    "private-key",
    "private_key",
    "credential",
    "cookie",
];
/// Values that are secrets by their form: the prefix, and how much must follow.
const PREFIXES: [(&str, usize); 21] = [
    ("sk-", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 20),
    ("hf_", 16),
    ("npm_", 16),
    ("pypi-", 16),
    ("tyr_et_", 8),
    ("tyr_at_", 8),
    ("eyJ", 30),
    ("ya29.", 16),
];

/// The arguments of a process as they may be kept.
pub fn arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut value_is_secret = false;
    for argument in arguments {
        if kept.len() == ARGS_MAX {
            kept.push("…".to_owned());
            break;
        }
        if value_is_secret && !argument.starts_with('-') {
            kept.push(REDACTED.to_owned());
            value_is_secret = false;
            continue;
        }
        value_is_secret = is_secret_flag(argument);
        kept.push(cut(&line(argument)));
    }
    kept
}

/// One argument, which may itself be a line of words.
fn line(argument: &str) -> String {
    let mut text = String::with_capacity(argument.len());
    let mut state = Next::Plain;
    for piece in argument.split_inclusive(is_separator) {
        let word = piece.trim_end_matches(is_separator);
        let separator = &piece[word.len()..];
        if word.is_empty() {
            text.push_str(piece);
            continue;
        }
        let (kept, next) = self::word(word, state);
        text.push_str(&kept);
        text.push_str(separator);
        state = next;
    }
    text
}

/// What the word before says about the next one.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Plain,
    Secret,
    /// After `authorization:`: a scheme may come before the secret.
    Authorization,
}

fn word(word: &str, state: Next) -> (String, Next) {
    match state {
        Next::Secret => return (REDACTED.to_owned(), Next::Plain),
        Next::Authorization if is_scheme(word) => return (word.to_owned(), Next::Secret),
        Next::Authorization => return (REDACTED.to_owned(), Next::Plain),
        Next::Plain => {}
    }
    if let Some((name, value)) = word.split_once(['=', ':'])
        && (names_secret(name) || name.eq_ignore_ascii_case("authorization"))
    {
        let head = &word[..=name.len()];
        return if value.is_empty() {
            let is_header = name.eq_ignore_ascii_case("authorization");
            (
                word.to_owned(),
                if is_header {
                    Next::Authorization
                } else {
                    Next::Secret
                },
            )
        } else {
            (format!("{head}{REDACTED}"), Next::Plain)
        };
    }
    if is_secret_flag(word) || is_scheme(word) && word.eq_ignore_ascii_case("bearer") {
        return (word.to_owned(), Next::Secret);
    }
    (forms(&user_info(word)), Next::Plain)
}

/// Characters between the words of a command line; quotes too, so that what is quoted is a word.
fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '`' | ';' | '|' | '&' | ',')
}

fn is_secret_flag(word: &str) -> bool {
    word.starts_with("--")
        && !word.contains('=')
        && names_secret(word)
        && !word.ends_with("-file")
        && !word.ends_with("-path")
}

fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A limit on tokens of a model is no secret.
    let is_count = name.contains("max") || name.ends_with("tokens") || name.ends_with("-file");
    !is_count && NAMES.iter().any(|secret| name.contains(secret))
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "token", "digest"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// `scheme://user:secret@host` without the secret.
fn user_info(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((user_info, host)) = rest.split_once('@')
        && let Some((user, _)) = user_info.split_once(':')
        && !user_info.contains('/')
    {
        return format!("{scheme}://{user}:{REDACTED}@{host}");
    }
    word.to_owned()
}

/// The word with everything that has the form of a secret replaced.
fn forms(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    let mut at_start = true;
    while let Some(character) = rest.chars().next() {
        if at_start && let Some(length) = secret_length(rest) {
            text.push_str(REDACTED);
            rest = &rest[length..];
            at_start = false;
            continue;
        }
        text.push(character);
        rest = &rest[character.len_utf8()..];
        at_start = !is_token_character(character);
    }
    text
}

/// Bytes of the secret that `text` begins with.
fn secret_length(text: &str) -> Option<usize> {
    let length = text.find(|c| !is_token_character(c)).unwrap_or(text.len());
    let is_secret = PREFIXES
        .iter()
        .any(|(prefix, least)| text.starts_with(prefix) && length >= prefix.len() + least);
    is_secret.then_some(length)
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '+')
}

fn cut(text: &str) -> String {
    if text.len() <= ARG_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=ARG_BYTES_MAX)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests;
