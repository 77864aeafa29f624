//! Scalars: which type a plain one has, and where the text of each stands in the file.

use saphyr_parser::ScalarStyle;

use crate::policy::tree::{Node, Place, Text, Value};

use super::text::Lines;

/// A plain scalar by YAML 1.2's core schema: `yes` and `on` are strings, `true` and `123` are not.
pub(super) fn plain(value: &str, place: Place, lines: &Lines<'_>) -> Value {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(value) => Value::Number(value.to_owned()),
        _ => Value::Text(text(value, ScalarStyle::Plain, place, lines)),
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |digits: &str, radix| {
        !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
    };
    if let Some(hex) = text.strip_prefix("0x") {
        return digits(hex, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_is_number = digits(&format!("{whole}{fraction}"), 10);
    let exponent_is_number =
        exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e), 10));
    mantissa_is_number && exponent_is_number
}

/// The name that a key gives: any scalar but nothing, as written.
pub(super) fn key(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.value.clone()),
        _ => None,
    }
}

/// A string with the places of its lines.
pub(super) fn text(value: &str, style: ScalarStyle, place: Place, lines: &Lines<'_>) -> Text {
    let places = match style {
        ScalarStyle::Literal => literal_lines(value, place, lines),
        ScalarStyle::Plain => verbatim(value, place, 0, lines),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => verbatim(value, place, 1, lines),
        ScalarStyle::Folded => Vec::new(),
    };
    Text {
        value: value.to_owned(),
        lines: places,
    }
}

/// A string that stands in one line as it is, after `skipped` characters of quoting.
fn verbatim(value: &str, place: Place, skipped: u32, lines: &Lines<'_>) -> Vec<(usize, Place)> {
    let begin = Place {
        line: place.line,
        column: place.column + skipped,
    };
    if lines.rest(begin).starts_with(value) {
        vec![(0, begin)]
    } else {
        Vec::new()
    }
}

/// The lines of a `|` block. The parser's place is the header or the first line with text.
fn literal_lines(value: &str, place: Place, lines: &Lines<'_>) -> Vec<(usize, Place)> {
    let blank = value.len() - value.trim_start_matches('\n').len();
    let earliest = place.line.saturating_sub(u32::try_from(blank).unwrap_or(0));
    let stands_at = |first: &u32| {
        (*first..)
            .zip(value.trim_end().split('\n'))
            .all(|(line, text)| lines.line(line).ends_with(text))
    };
    let Some(first) = (earliest..=place.line + 1).rev().find(stands_at) else {
        return Vec::new();
    };
    let mut offset = 0;
    let mut found = Vec::new();
    for (line, text) in (first..).zip(value.split('\n')) {
        let indent = lines.line(line).strip_suffix(text).unwrap_or("");
        let column = u32::try_from(indent.chars().count())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        found.push((offset, Place { line, column }));
        offset += text.len() + 1;
    }
    found
}
