//! Literal paths of a condition that lead through a symlink also stand for the real path.

use serde_json::{Value, json};

use super::atom::{Atom, LikePart, Subject};
use super::rewrite::{like_parts, single_entry, subject_of};

/// Gives real paths for a literal: none when it is one itself.
pub(super) type RealPaths<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// Adds real paths to every comparison of a path in `expression`, in its rewritten form. True: at
/// least one was added.
pub(super) fn add_real_paths(expression: &mut Value, real: RealPaths<'_>) -> bool {
    let Some((operator, body)) = single_entry(expression) else {
        return false;
    };
    match operator.as_str() {
        "==" | "!=" => add_to_comparison(expression, &operator, &body, real),
        "contains" if is_path(&body["right"]) => add_to_set(expression, real),
        "like" if is_path(&body["left"]) => add_to_like(expression, &body, real),
        _ => match &mut expression[&operator] {
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |added, item| add_real_paths(item, real) | added),
            Value::Object(fields) => fields
                .iter_mut()
                .filter(|(_, field)| field.is_object())
                .fold(false, |added, (_, field)| {
                    add_real_paths(field, real) | added
                }),
            _ => false,
        },
    }
}

fn is_path(expression: &Value) -> bool {
    matches!(subject_of(expression), Some(Subject::Path | Subject::Exe))
}

/// `path == "/bin/rm"` becomes `["/bin/rm", "/usr/bin/rm"].contains(path)`.
fn add_to_comparison(
    expression: &mut Value,
    operator: &str,
    body: &Value,
    real: RealPaths<'_>,
) -> bool {
    let (subject, literal) = match (is_path(&body["left"]), is_path(&body["right"])) {
        (true, false) => (&body["left"], &body["right"]),
        (false, true) => (&body["right"], &body["left"]),
        _ => return false,
    };
    let mut contains = json!({ "contains": { "left": { "Set": [literal] }, "right": subject } });
    if !add_to_set(&mut contains, real) {
        return false;
    }
    *expression = if operator == "!=" {
        json!({ "!": { "arg": contains } })
    } else {
        contains
    };
    true
}

fn add_to_set(expression: &mut Value, real: RealPaths<'_>) -> bool {
    let Some(items) = expression["contains"]["left"]["Set"].as_array_mut() else {
        return false;
    };
    let added: Vec<Value> = items
        .iter()
        .filter_map(|item| item["Value"].as_str())
        .flat_map(real)
        .map(|path| json!({ "Value": path }))
        .filter(|item| !items.contains(item))
        .collect();
    items.extend_from_slice(&added);
    !added.is_empty()
}

/// `path like "/bin/*"` becomes that or the same with `/usr/bin`: the directories before the
/// first wildcard are resolved.
fn add_to_like(expression: &mut Value, body: &Value, real: RealPaths<'_>) -> bool {
    let Some(parts) = like_parts(&body["pattern"]) else {
        return false;
    };
    let Some(LikePart::Text(beginning)) = parts.first() else {
        return false;
    };
    let Some((directory, name)) = beginning.rsplit_once('/').filter(|(d, _)| !d.is_empty()) else {
        return false;
    };
    let mut added = false;
    for directory in real(directory) {
        let mut pattern = vec![json!({ "Literal": format!("{directory}/{name}") })];
        pattern.extend(parts[1..].iter().map(|part| match part {
            LikePart::Any => json!("Wildcard"),
            LikePart::Text(text) => json!({ "Literal": text }),
        }));
        let like = json!({ "like": { "left": body["left"], "pattern": pattern } });
        *expression = json!({ "||": { "left": expression.clone(), "right": like } });
        added = true;
    }
    added
}

/// The comparisons of an expression that was checked before.
pub(super) fn atoms(expression: &Value, found: &mut Vec<Atom>) {
    if let Some((operator, body)) = single_entry(expression) {
        match operator.as_str() {
            "==" | "!=" | "contains" | "<" | "<=" | ">" | ">=" => {
                literals(&operator, &body, found);
            }
            "like" => {
                if let (Some(subject), Some(parts)) =
                    (subject_of(&body["left"]), like_parts(&body["pattern"]))
                {
                    found.push(Atom::Like { subject, parts });
                }
            }
            _ => {}
        }
    }
    match expression {
        Value::Array(items) => items.iter().for_each(|item| atoms(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| atoms(field, found)),
        _ => {}
    }
}

fn literals(operator: &str, body: &Value, found: &mut Vec<Atom>) {
    for (side, other) in [("left", "right"), ("right", "left")] {
        let Some(subject) = subject_of(&body[side]) else {
            continue;
        };
        let one = std::slice::from_ref(&body[other]);
        let items = body[other]["Set"].as_array().map_or(one, Vec::as_slice);
        let operator = if side == "right" {
            turned(operator)
        } else {
            operator
        };
        for literal in items.iter().filter_map(|item| item.get("Value")) {
            found.extend(Atom::of_literal(subject, operator, literal));
        }
    }
}

/// The operator that says the same with its sides exchanged.
fn turned(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}
