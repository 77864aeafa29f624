//! The published schema, and Cedar's check against it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

use cedar_policy::{Policy, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use crate::model::action::Action;

use super::ConditionError;

/// What a condition may read, in Cedar's schema language. `tyr policy` publishes it.
pub const SCHEMA: &str = include_str!("agent.cedarschema");

/// The line of the schema that is replaced by the labels a condition names.
const NO_LABELS: &str = "type HostLabels = {};";

static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| validator(SCHEMA));

fn validator(schema: &str) -> Option<Validator> {
    let (schema, _warnings) = Schema::from_cedarschema_str(schema).ok()?;
    Some(Validator::new(schema))
}

/// Head of the Cedar policy that a condition of a rule with `action` becomes.
pub(super) fn head(action: Action) -> String {
    let resource = match action {
        Action::FileRead | Action::FileWrite | Action::Exec => "File",
        Action::NetConnect => "Peer",
        Action::TlsConnect => "Handshake",
    };
    format!("permit(principal is Agent, action == Action::\"{action}\", resource is {resource})")
}

/// Type errors of `rewritten`. `original` is the same condition as the author wrote it, whose
/// errors carry places; `prefix_bytes` is where its text begins.
pub(super) fn check(
    rewritten: &Policy,
    original: &Policy,
    prefix_bytes: usize,
    labels: &BTreeSet<String>,
) -> Vec<ConditionError> {
    let with_labels = (!labels.is_empty())
        .then(|| validator(&schema_with(labels)))
        .flatten();
    let validator = if labels.is_empty() {
        VALIDATOR.as_ref()
    } else {
        with_labels.as_ref()
    };
    let Some(validator) = validator else {
        let message = "labels of the host cannot be part of a schema".to_owned();
        return vec![ConditionError {
            offset: 0,
            message,
            help: String::new(),
        }];
    };
    let found = errors(validator, rewritten);
    if found.is_empty() {
        return Vec::new();
    }
    let placed = errors(validator, original);
    let place = |message: &str| {
        placed
            .iter()
            .find(|(text, _)| text == message)
            .and_then(|(_, offset)| *offset)
    };
    found
        .into_iter()
        .map(|(message, _)| ConditionError {
            offset: place(&message)
                .unwrap_or(prefix_bytes)
                .saturating_sub(prefix_bytes),
            message,
            help: String::new(),
        })
        .collect()
}

/// Messages with the byte offset that Cedar labels, in the text of the policy.
fn errors(validator: &Validator, policy: &Policy) -> Vec<(String, Option<usize>)> {
    let Ok(set) = PolicySet::from_policies([policy.clone()]) else {
        return Vec::new();
    };
    let result = validator.validate(&set, ValidationMode::Strict);
    result
        .validation_errors()
        .map(|error| {
            let offset = error
                .labels()
                .and_then(|mut labels| labels.next())
                .map(|l| l.offset());
            (plain(&error.to_string()), offset)
        })
        .collect()
}

/// Cedar's message without the policy id, which is ours and means nothing to the author.
fn plain(message: &str) -> String {
    let text = message
        .strip_prefix("for policy `")
        .and_then(|rest| rest.split_once("`, "));
    text.map_or(message, |(_, text)| text).to_owned()
}

fn schema_with(labels: &BTreeSet<String>) -> String {
    let mut fields = String::from("type HostLabels = {");
    for label in labels {
        // Cedar's string escapes are Rust's for everything a label may hold.
        let _ = write!(fields, "{label:?}?: String, ");
    }
    fields.push_str("};");
    SCHEMA.replace(NO_LABELS, &fields)
}
