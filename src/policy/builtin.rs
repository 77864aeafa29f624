//! Policies that come with Tyr, and how a newer text takes the place of an older one.

use super::load::{LoadOptions, load};
use super::rule::Policy;
use super::switch;

/// Who asks ungoverned processes to act.
pub const DEPUTIES: &str = "tyr-deputies";

/// The label that numbers the texts of a built-in policy.
pub const NUMBER_LABEL: &str = "builtin";

/// One policy that comes with Tyr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    pub name: &'static str,
    pub text: &'static str,
}

/// All of them.
pub const ALL: [Builtin; 1] = [Builtin {
    name: DEPUTIES,
    text: include_str!("builtin/deputies.yaml"),
}];

/// The built-in policy of this name.
pub fn named(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name)
}

/// The number that a text says it is; 0: none.
pub fn number(policy: &Policy) -> u64 {
    let label = policy.labels.get(NUMBER_LABEL);
    label.and_then(|label| label.parse().ok()).unwrap_or(0)
}

/// The number of a text; 0 when it has none or is no policy.
pub fn number_of(text: &str) -> u64 {
    let loaded = load("", text.as_bytes(), &LoadOptions::default());
    let policies = loaded.map(|loaded| loaded.policies).unwrap_or_default();
    policies.first().map_or(0, |source| number(&source.policy))
}

/// `newer` with the switches of `current`; `None` when somebody has changed more than switches
/// since `seeded`. A rule that `newer` no longer has needs no switch.
pub fn upgraded(newer: &str, seeded: &str, current: &str) -> Option<String> {
    if !switch::differ_by_switches_only(seeded, current) {
        return None;
    }
    let off = switch::disabled(current).ok()?;
    let names = switch::rules(newer).ok()?;
    let mut text = newer.to_owned();
    for rule in off.iter().filter(|rule| names.contains(rule)) {
        text = switch::set(&text, rule, false).ok()?;
    }
    // A line that comes switched off stays on where the operator switched it on.
    for rule in switch::disabled(&text).ok()? {
        if !off.contains(&rule) && switch::disabled(seeded).ok()?.contains(&rule) {
            text = switch::set(&text, &rule, true).ok()?;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests;
