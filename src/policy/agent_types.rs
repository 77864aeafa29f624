//! Agent types that a policy may name: the ids of signatures.

use std::sync::LazyLock;

use super::nearest;
use super::signatures::Signatures;

static BUILT_IN: LazyLock<Vec<String>> =
    LazyLock::new(|| Signatures::builtin().ids().map(str::to_owned).collect());

/// Help when `id` is none of `known`; `None` stands for the built-in signatures.
pub(super) fn unknown(id: &str, known: Option<&[String]>) -> Option<String> {
    let known: Vec<&str> = known
        .unwrap_or(&BUILT_IN)
        .iter()
        .map(String::as_str)
        .collect();
    if known.contains(&id) {
        return None;
    }
    Some(match nearest::nearest(id, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "nothing is this agent until a signature has the id".to_owned(),
    })
}
