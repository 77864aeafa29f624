//! Tokens of a condition: for limits that hold before Cedar parses anything, and to find the
//! place of an attribute, which Cedar's JSON form does not carry.

use super::ConditionError;
use super::attribute::Variable;

/// Longest condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 8 * 1024;
/// Most operators in a condition, the dots of attributes among them. Cedar recurses once for each;
/// a thread's stack of 2 MiB holds twice as many, in a debug build, with the nesting below.
pub const CONDITION_OPERATORS_MAX: usize = 200;
/// Deepest nesting of brackets and `if` in a condition.
pub const CONDITION_NESTING_MAX: usize = 16;

/// A word, a string literal, an operator of two characters, or one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Byte offset in the condition.
    pub(super) offset: usize,
    pub(super) text: &'a str,
}

const PAIRS: [&str; 6] = ["&&", "||", "==", "!=", "<=", ">="];
const OPERATORS: [&str; 11] = ["<", ">", "+", "-", "*", "!", ".", "in", "has", "like", "is"];

/// Splits a condition, dropping white space and comments.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = text[at..]
                    .find('\n')
                    .map_or(bytes.len(), |length| at + length);
                continue;
            }
            b'"' => string_end(bytes, at),
            byte if is_word(byte) => bytes[at..]
                .iter()
                .position(|b| !is_word(*b))
                .map_or(bytes.len(), |n| at + n),
            _ if PAIRS.iter().any(|pair| text[at..].starts_with(pair)) => at + 2,
            _ => at + text[at..].chars().next().map_or(1, char::len_utf8),
        };
        found.push(Token {
            offset: at,
            text: &text[at..end],
        });
        at = end;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Offset after the string literal that begins at `start`, or the end of an unclosed one.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Refuses what is too large before a parser with recursion sees it.
pub(super) fn check_limits(text: &str) -> Result<(), ConditionError> {
    let refuse = |offset, message| {
        Err(ConditionError {
            offset,
            message,
            help: String::new(),
        })
    };
    if text.len() > CONDITION_BYTES_MAX {
        let length = text.len();
        return refuse(
            0,
            format!("condition of {length} bytes: at most {CONDITION_BYTES_MAX}"),
        );
    }
    let (mut depth, mut operators) = (0usize, 0);
    for token in tokens(text) {
        match token.text {
            "(" | "[" | "{" | "if" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            operator if PAIRS.contains(&operator) || OPERATORS.contains(&operator) => {
                operators += 1;
            }
            _ => {}
        }
        if depth > CONDITION_NESTING_MAX {
            let message = format!("condition nests deeper than {CONDITION_NESTING_MAX} levels");
            return refuse(token.offset, message);
        }
        if operators > CONDITION_OPERATORS_MAX {
            let message = format!("condition has more than {CONDITION_OPERATORS_MAX} operators");
            return refuse(token.offset, message);
        }
    }
    Ok(())
}

/// Offset of `name` where the condition first reads `variable.name`, `variable["name"]` or
/// `variable has name`; else of the variable; else 0.
pub(super) fn locate_attribute(text: &str, variable: Variable, name: &str) -> usize {
    let tokens = tokens(text);
    let quoted = format!("\"{name}\"");
    for window in tokens.windows(3) {
        let joins = matches!(window[1].text, "." | "[" | "has");
        let names = window[2].text == name || window[2].text == quoted;
        if window[0].text == variable.name() && joins && names {
            return window[2].offset;
        }
    }
    locate_word(text, variable.name())
}

/// Offset of the first token that reads exactly `word`, or 0.
pub(super) fn locate_word(text: &str, word: &str) -> usize {
    tokens(text)
        .into_iter()
        .find(|token| token.text == word)
        .map_or(0, |token| token.offset)
}

/// Offset of the first `word` that is not followed by an attribute, or of the first at all.
pub(super) fn locate_whole(text: &str, word: &str) -> usize {
    let tokens = tokens(text);
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map_or("", |token| token.text);
        if token.text == word && !matches!(next, "." | "[" | "has") {
            return token.offset;
        }
    }
    locate_word(text, word)
}
