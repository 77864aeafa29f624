//! Rules switched off and on in the text of a policy. Everything else in the text, comments
//! included, stays as it is.

use super::nearest;
use super::parse;
use super::tree::{Entry, Node, Place, Value, shortened};

const FIELD: &str = "enabled";

/// Why a text stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    #[error("the policy has no rule `{rule}`{help}")]
    NoRule { rule: String, help: String },
    #[error("the text is not one policy")]
    NoPolicy,
    #[error(
        "rule `{0}` is written in a way that cannot be changed alone: apply the policy with `enabled` in it"
    )]
    ByHand(String),
}

/// The text in which `rule` is switched off or on. When it was so already the text is the same.
///
/// # Errors
/// There is no such rule, or it is written in a way that nothing can be put into.
pub fn set(text: &str, rule: &str, enabled: bool) -> Result<String, SwitchError> {
    let root = root(text)?;
    let entries = entries_of(&root, rule)?;
    if is_enabled(entries) == enabled {
        return Ok(text.to_owned());
    }
    let candidates = match entries.iter().find(|entry| entry.key == FIELD) {
        Some(entry) => vec![replaced(text, entry.node.place, enabled)],
        None => inserted(text, entries, enabled),
    };
    let fits = |candidate: &String| {
        let Ok(changed) = self::root(candidate) else {
            return false;
        };
        let switched =
            entries_of(&changed, rule).is_ok_and(|entries| is_enabled(entries) == enabled);
        let others = |root: &Node| {
            names(root, |_| true)
                .into_iter()
                .filter(|name| *name != rule)
        };
        switched
            && same_but_switches(&root, &changed)
            && others(&root).eq(others(&changed))
            && others(&root).all(|name| state(&root, &name) == state(&changed, &name))
    };
    candidates
        .into_iter()
        .flatten()
        .find(fits)
        .ok_or_else(|| SwitchError::ByHand(shortened(rule)))
}

/// Names of the rules that are switched off.
///
/// # Errors
/// The text is not one policy.
pub fn disabled(text: &str) -> Result<Vec<String>, SwitchError> {
    Ok(names(&root(text)?, |entries| !is_enabled(entries)))
}

/// Names of all rules.
///
/// # Errors
/// The text is not one policy.
pub fn rules(text: &str) -> Result<Vec<String>, SwitchError> {
    Ok(names(&root(text)?, |_| true))
}

/// Whether two texts say the same but for the switches of their rules.
pub fn differ_by_switches_only(one: &str, other: &str) -> bool {
    match (root(one), root(other)) {
        (Ok(one), Ok(other)) => same_but_switches(&one, &other),
        _ => one == other,
    }
}

fn root(text: &str) -> Result<Node, SwitchError> {
    let (mut documents, problems) = parse::parse(text.as_bytes());
    if documents.len() != 1 || problems.iter().any(|problem| !problem.warning) {
        return Err(SwitchError::NoPolicy);
    }
    Ok(documents.remove(0).root)
}

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &node.value else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == name);
    entry.map(|entry| &entry.node)
}

fn rule_nodes(root: &Node) -> &[Node] {
    let rules = field(root, "spec").and_then(|spec| field(spec, "rules"));
    match rules.map(|rules| &rules.value) {
        Some(Value::Sequence(items)) => items,
        _ => &[],
    }
}

fn name_of(rule: &Node) -> Option<&str> {
    match &field(rule, "name")?.value {
        Value::Text(text) => Some(&text.value),
        _ => None,
    }
}

fn entries(rule: &Node) -> &[Entry] {
    match &rule.value {
        Value::Mapping(entries) => entries,
        _ => &[],
    }
}

fn entries_of<'n>(root: &'n Node, rule: &str) -> Result<&'n [Entry], SwitchError> {
    let found = rule_nodes(root)
        .iter()
        .find(|node| name_of(node) == Some(rule));
    found.map(entries).ok_or_else(|| {
        let names = names(root, |_| true);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = match nearest::nearest(rule, &names) {
            Some(near) => format!(": did you mean `{near}`?"),
            None => String::new(),
        };
        let rule = shortened(rule);
        SwitchError::NoRule { rule, help }
    })
}

fn names(root: &Node, wanted: impl Fn(&[Entry]) -> bool) -> Vec<String> {
    let rules = rule_nodes(root).iter();
    rules
        .filter(|rule| wanted(entries(rule)))
        .filter_map(|rule| name_of(rule).map(str::to_owned))
        .collect()
}

fn state(root: &Node, rule: &str) -> Option<bool> {
    entries_of(root, rule).ok().map(is_enabled)
}

fn is_enabled(entries: &[Entry]) -> bool {
    let switch = entries.iter().find(|entry| entry.key == FIELD);
    switch.is_none_or(|entry| !matches!(entry.node.value, Value::Bool(false)))
}

/// Whether two texts, as trees, are the same without the switches of their rules.
fn same_but_switches(one: &Node, other: &Node) -> bool {
    same(
        &without_switches(one.clone()),
        &without_switches(other.clone()),
    )
}

fn without_switches(mut root: Node) -> Node {
    let rules = child(&mut root, "spec").and_then(|spec| child(spec, "rules"));
    if let Some(Value::Sequence(rules)) = rules.map(|rules| &mut rules.value) {
        for rule in rules {
            if let Value::Mapping(entries) = &mut rule.value {
                entries.retain(|entry| entry.key != FIELD);
            }
        }
    }
    root
}

fn child<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Value::Mapping(entries) = &mut node.value else {
        return None;
    };
    let entry = entries.iter_mut().find(|entry| entry.key == name);
    entry.map(|entry| &mut entry.node)
}

/// Whether two trees hold the same values, wherever they are written.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one.value == other.value,
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Mapping(one), Value::Mapping(other)) => {
            one.len() == other.len()
                && one.iter().all(|entry| {
                    let twin = other.iter().find(|other| other.key == entry.key);
                    twin.is_some_and(|twin| same(&entry.node, &twin.node))
                })
        }
        _ => false,
    }
}

/// Byte offset of a place.
fn offset(text: &str, place: Place) -> Option<usize> {
    let mut start = 0;
    for _ in 1..place.line {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let line = text.get(start..)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let inside = line.char_indices().map(|(at, _)| at).nth(column);
    inside.map(|at| start + at)
}

/// The word at `place` replaced.
fn replaced(text: &str, place: Place, enabled: bool) -> Option<String> {
    let at = offset(text, place)?;
    let rest = text.get(at..)?;
    let word = rest.len()
        - rest
            .trim_start_matches(|c: char| c.is_ascii_alphabetic())
            .len();
    Some(format!("{}{enabled}{}", &text[..at], &rest[word..]))
}

/// The field put in after the name, or before everything, on a line of its own or inside braces.
fn inserted(text: &str, entries: &[Entry], enabled: bool) -> Vec<Option<String>> {
    let name = entries.iter().position(|entry| entry.key == "name");
    let after_name = name.and_then(|index| entries.get(index + 1));
    let places = [after_name, entries.first()].into_iter().flatten();
    let mut candidates = Vec::new();
    for entry in places {
        let indent = usize::try_from(entry.key_place.column).unwrap_or(1).max(1) - 1;
        for between in [format!("\n{}", " ".repeat(indent)), ", ".to_owned()] {
            let put = offset(text, entry.key_place)
                .map(|at| format!("{}{FIELD}: {enabled}{between}{}", &text[..at], &text[at..]));
            candidates.push(put);
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
