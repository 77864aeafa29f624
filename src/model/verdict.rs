//! The answer to an operation, and how much it matters to a reader.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Ordered by strictness: the largest of several verdicts is the one that holds.
/// The numbers are those of `enum tyr_verdict` in `bpf/include/image.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Verdict {
    Allow = 0,
    Alert = 1,
    Deny = 2,
}

/// Metadata of a rule; it changes nothing about enforcement.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Severity {
    #[default]
    Low = 0,
    Medium = 1,
    High = 2,
    Critical = 3,
}

/// How an assigned policy is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Verdicts are enforced.
    #[default]
    Enforce,
    /// Verdicts are reported and nothing is blocked.
    Monitor,
}

/// The text names no value of the type.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a {what}: expected {expected}")]
pub struct UnknownName {
    what: &'static str,
    text: String,
    expected: &'static str,
}

macro_rules! names {
    ($type:ident, $what:literal, $expected:literal, $($variant:ident => $name:literal),+) => {
        impl $type {
            /// The name used in policies, events and on the command line.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<$type, UnknownName> {
                match text {
                    $($name => Ok($type::$variant),)+
                    _ => Err(UnknownName { what: $what, text: text.to_owned(), expected: $expected }),
                }
            }
        }
    };
}

names!(Verdict, "verdict", "allow, deny or alert",
    Allow => "allow", Alert => "alert", Deny => "deny");
names!(Severity, "severity", "low, medium, high or critical",
    Low => "low", Medium => "medium", High => "high", Critical => "critical");
names!(Mode, "mode", "enforce or monitor", Enforce => "enforce", Monitor => "monitor");
