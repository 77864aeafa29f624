//! From the text of a pattern to its components.

use super::{ByteSet, Component, PATTERN_BYTES_MAX, PatternError, Token};

fn error(offset: usize, message: impl Into<String>) -> PatternError {
    PatternError {
        message: message.into(),
        offset,
    }
}

/// Components of `text`, `AnyDepth` first when it is relative.
pub(super) fn components(text: &str) -> Result<Vec<Component>, PatternError> {
    check_text(text)?;
    let mut components = Vec::new();
    let (body, mut offset) = match text.strip_prefix('/') {
        Some(body) => (body, 1),
        None => {
            components.push(Component::AnyDepth);
            (text, 0)
        }
    };
    if text == "/" {
        return Ok(vec![Component::Segment(Vec::new())]);
    }
    for part in split_components(body) {
        let component = read_component(part, offset)?;
        if component != Component::AnyDepth || components.last() != Some(&Component::AnyDepth) {
            components.push(component);
        }
        offset += part.len() + 1;
    }
    Ok(components)
}

fn check_text(text: &str) -> Result<(), PatternError> {
    if text.is_empty() {
        return Err(error(0, "empty pattern: write `*` for every path"));
    }
    if text.len() > PATTERN_BYTES_MAX {
        return Err(error(
            PATTERN_BYTES_MAX,
            format!(
                "pattern of {} bytes: at most {PATTERN_BYTES_MAX} are possible",
                text.len()
            ),
        ));
    }
    if let Some(offset) = text.find('\0') {
        return Err(error(offset, "NUL byte: no path contains one"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(error(
            0,
            "`~` is not a home directory here: write /home/*/…, or [~] for a file of that name",
        ));
    }
    if text.len() > 1 && text.ends_with('/') {
        return Err(error(
            text.len() - 1,
            "trailing slash: leave it out for the directory itself, or end with `/**` for all below",
        ));
    }
    Ok(())
}

/// Splits at every slash that is not inside a set; `read_component` then refuses such a set with
/// a message of its own.
fn split_components(body: &str) -> Vec<&str> {
    let bytes = body.as_bytes();
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'/' => {
                parts.push(&body[start..at]);
                start = at + 1;
                at += 1;
            }
            b'[' => at = set_end(bytes, at).map_or(at + 1, |end| end + 1),
            _ => at += 1,
        }
    }
    parts.push(&body[start..]);
    parts
}

/// Index of the `]` that closes the set opened at `open`. A `]` that comes first is a member.
fn set_end(bytes: &[u8], open: usize) -> Option<usize> {
    let negated = bytes.get(open + 1) == Some(&b'!');
    let first = open + 1 + usize::from(negated);
    let members = bytes.get(first + 1..)?;
    members
        .iter()
        .position(|&byte| byte == b']')
        .map(|index| first + 1 + index)
}

fn read_component(part: &str, offset: usize) -> Result<Component, PatternError> {
    match part {
        "" => return Err(error(offset, "`//`: no real path has an empty component")),
        "." | ".." => {
            return Err(error(
                offset,
                format!("`{part}`: no real path has such a component"),
            ));
        }
        "**" => return Ok(Component::AnyDepth),
        _ => {}
    }
    let bytes = part.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'*' if bytes.get(at + 1) == Some(&b'*') => {
                return Err(error(
                    offset + at,
                    "`**` is only possible as a whole component, as in `/a/**/b`; inside one write `*`",
                ));
            }
            b'*' => tokens.push(Token::AnyRun),
            b'?' => tokens.push(Token::AnyByte),
            b'[' => {
                let end = set_end(bytes, at).ok_or_else(|| {
                    error(
                        offset + at,
                        "`[` without `]`: write `[[]` for the character itself",
                    )
                })?;
                tokens.push(Token::Set(Box::new(read_set(
                    &bytes[at + 1..end],
                    offset + at + 1,
                )?)));
                at = end;
            }
            byte => tokens.push(Token::Byte(byte)),
        }
        at += 1;
    }
    Ok(Component::Segment(tokens))
}

fn read_set(body: &[u8], offset: usize) -> Result<ByteSet, PatternError> {
    let negated = body.first() == Some(&b'!');
    let members = &body[usize::from(negated)..];
    let offset = offset + usize::from(negated);
    if members.first() == Some(&b'^') && members.len() > 1 {
        return Err(error(
            offset,
            "`[^…]` is not a negated set: write `[!…]`, or put `^` last",
        ));
    }
    let mut set = ByteSet::default();
    let mut at = 0;
    while at < members.len() {
        let first = members[at];
        let last = match members.get(at + 1..at + 3) {
            Some([b'-', last]) => *last,
            _ => first,
        };
        let taken = if members.len() > at + 2 && members[at + 1] == b'-' {
            3
        } else {
            1
        };
        check_range(first, last, offset + at)?;
        (first..=last)
            .filter(|&byte| byte != b'/')
            .for_each(|byte| set.insert(byte));
        at += taken;
    }
    Ok(if negated { set.inverted() } else { set })
}

fn check_range(first: u8, last: u8, offset: usize) -> Result<(), PatternError> {
    if !first.is_ascii() || !last.is_ascii() {
        return Err(error(
            offset,
            "a set holds single bytes, and this character is several: write it outside of the set",
        ));
    }
    if first > last {
        let (first, last) = (char::from(first), char::from(last));
        return Err(error(
            offset,
            format!("range `{first}-{last}` is reversed: write `{last}-{first}`"),
        ));
    }
    if first == b'/' || last == b'/' {
        return Err(error(offset, "`/` in a set: no wildcard matches a slash"));
    }
    Ok(())
}

/// The pattern text of a literal path given without its leading slash.
pub(super) fn text_of_literal(path: &[u8]) -> String {
    let mut text = String::from("/");
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '*' | '?' | '[' => text.extend(['[', character, ']']),
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
