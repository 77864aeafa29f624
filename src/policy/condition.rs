//! The `condition` of a rule: a Cedar expression over a published schema.
//!
//! Cedar parses and type-checks the whole expression and evaluates its comparisons; `&&`, `||`,
//! `!` and `if` between them are evaluated here, in three-valued logic, so that a fact nobody
//! knows yet makes the answer unknown instead of wrong.

mod atom;
mod attribute;
mod carried;
mod facts;
mod node;
mod real;
mod rewrite;
mod scan;
mod schema;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Expression, ParseErrors, Policy};
use miette::Diagnostic;
use serde_json::Value;

use crate::model::action::Action;

use super::fact::Truth;

pub use atom::{Atom, LikePart, Subject};
pub use attribute::{Attribute, Needs, Variable};
pub use facts::{Facts, Object};
pub use scan::{CONDITION_BYTES_MAX, CONDITION_NESTING_MAX, CONDITION_OPERATORS_MAX};
pub use schema::SCHEMA;

use node::Node;

/// A checked condition, ready to be evaluated.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    /// Cedar's JSON form, rewritten.
    body: Arc<Value>,
    root: Arc<Node>,
    needs: Arc<Needs>,
    atoms: Arc<[Atom]>,
}

/// Why a condition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// Byte offset in the condition's text.
    pub offset: usize,
    pub message: String,
    /// May be empty.
    pub help: String,
}

impl Condition {
    /// Parses and validates `text` for a rule with `action`. All errors are reported together.
    pub fn parse(text: &str, action: Action) -> Result<Condition, Vec<ConditionError>> {
        scan::check_limits(text).map_err(|error| vec![error])?;
        // On its own first: text that closes a brace could otherwise end the condition early.
        Expression::from_str(text).map_err(|errors| syntax_errors(&errors, 0, text))?;
        let prefix = format!("{} when {{\n", schema::head(action));
        let original = Policy::parse(None, format!("{prefix}{text}\n}};"))
            .map_err(|errors| syntax_errors(&errors, prefix.len(), text))?;
        let refused = |message: String| {
            vec![ConditionError {
                offset: 0,
                message,
                help: String::new(),
            }]
        };
        let mut json = original
            .to_json()
            .map_err(|error| refused(error.to_string()))?;
        let mut rewrite = rewrite::Rewrite::new(text, action);
        let body = &mut json["conditions"][0]["body"];
        rewrite.walk(body);
        if !rewrite.errors.is_empty() {
            return Err(rewrite.errors);
        }
        let built = Condition::build(text.into(), body.clone()).map_err(refused)?;
        let rewritten = Policy::from_json(None, json).map_err(|e| refused(e.to_string()))?;
        let errors = schema::check(&rewritten, &original, prefix.len(), &rewrite.labels);
        if errors.is_empty() {
            Ok(built)
        } else {
            Err(errors)
        }
    }

    /// From the rewritten form.
    fn build(text: Arc<str>, body: Value) -> Result<Condition, String> {
        let mut needs = Needs::default();
        rewrite::needs(&body, &mut needs);
        let mut atoms = Vec::new();
        real::atoms(&body, &mut atoms);
        Ok(Condition {
            text,
            root: Arc::new(Node::build(&body)?),
            needs: Arc::new(needs),
            atoms: atoms.into(),
            body: Arc::new(body),
        })
    }

    /// The condition with the real paths that `real` gives for literal paths besides these.
    pub fn with_real_paths(&self, real: &dyn Fn(&str) -> Vec<String>) -> Condition {
        let mut body = Value::clone(&self.body);
        if !real::add_real_paths(&mut body, real) {
            return self.clone();
        }
        // What was built from the same parts before builds again.
        Condition::build(self.text.clone(), body).unwrap_or_else(|_| self.clone())
    }

    /// The expression as its author wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which attributes the condition reads.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Every comparison of `principal.exe` and of the resource's attributes. Nothing else about
    /// these changes the condition's answer: whatever cannot be put so was refused when the
    /// condition was parsed.
    pub fn resource_atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// The answer for `facts`. An unknown fact, and an error of Cedar such as an overflow, make
    /// it unknown unless the rest settles it.
    pub fn eval(&self, facts: &Facts<'_>) -> Truth {
        self.root.eval(facts)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

/// Cedar's syntax errors with offsets into the condition, which begins at `prefix_bytes`.
fn syntax_errors(errors: &ParseErrors, prefix_bytes: usize, text: &str) -> Vec<ConditionError> {
    errors
        .iter()
        .map(|error| {
            let label = error.labels().and_then(|mut labels| labels.next());
            let offset = label.map_or(0, |label| label.offset());
            ConditionError {
                offset: offset.saturating_sub(prefix_bytes).min(text.len()),
                message: error.to_string(),
                help: error
                    .help()
                    .map(|help| help.to_string())
                    .unwrap_or_default(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
