//! What is wrong with a policy, said so that its author can mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong, with its place. All problems of a file are reported together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// File name, or empty when the text came without one.
    pub source: String,
    /// 1-based; 0 when no place can be told.
    pub line: u32,
    /// 1-based, in characters; 0 when no place can be told.
    pub column: u32,
    /// Field path such as `spec.rules[3].resource_pattern`; empty for the document.
    pub path: String,
    pub message: String,
    /// What was probably meant, or how to mend it; may be empty.
    pub help: String,
    /// A warning does not refuse the policy.
    pub warning: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.source.is_empty() {
            write!(f, "{}:", self.source)?;
        }
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        } else if !self.source.is_empty() {
            write!(f, " ")?;
        }
        write!(f, "{}: ", if self.warning { "warning" } else { "error" })?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}
