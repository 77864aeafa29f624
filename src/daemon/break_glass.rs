//! A time in which deny verdicts are reported and not enforced on this host.
//!
//! The server says when it ends; the host keeps to it whatever the server, its own clock or a
//! restart do afterwards.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::verdict::Mode;
use crate::policy::rule::Effective;
use crate::wire::proto;
use crate::wire::rest::BREAK_GLASS_S_MAX;

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    pub ends_ns: i64,
    pub reason: String,
    pub started_by: String,
}

impl BreakGlass {
    pub fn from_message(message: proto::BreakGlass) -> BreakGlass {
        BreakGlass {
            ends_ns: message.ends_ns,
            reason: message.reason,
            started_by: message.started_by,
        }
    }

    /// How long it goes on, at most the longest that one may be.
    fn left(&self, now: Timestamp) -> Duration {
        let left = i128::from(self.ends_ns) - now.as_nanosecond();
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or(0));
        left.min(Duration::from_secs(BREAK_GLASS_S_MAX))
    }

    /// When it ends, for people.
    fn ends_at(&self) -> String {
        Timestamp::from_nanosecond(self.ends_ns.into())
            .map_or_else(|_| self.ends_ns.to_string(), |at| at.to_string())
    }
}

/// A break-glass that this daemon keeps to.
#[derive(Clone, Debug)]
pub struct Held {
    said: BreakGlass,
    /// A clock that is set back does not make it longer.
    deadline: Instant,
}

impl Held {
    /// `before` is what was held until now: hearing of the same again changes no deadline.
    pub fn of(said: Option<&BreakGlass>, before: Option<&Held>) -> Option<Held> {
        let said = said?;
        if let Some(before) = before.filter(|before| before.said == *said) {
            return Some(before.clone());
        }
        Some(Held {
            said: said.clone(),
            deadline: Instant::now() + said.left(Timestamp::now()),
        })
    }

    /// How long it goes on; zero: it is over.
    pub fn left(&self) -> Duration {
        self.deadline
            .saturating_duration_since(Instant::now())
            .min(self.said.left(Timestamp::now()))
    }

    pub fn is_open(&self) -> bool {
        !self.left().is_zero()
    }

    /// One sentence for people.
    pub fn describe(&self) -> String {
        format!(
            "break-glass until {} by {} ({}): deny verdicts are reported and not enforced",
            self.said.ends_at(),
            self.said.started_by,
            self.said.reason
        )
    }
}

/// Makes policies be reported and not enforced.
pub fn monitor(policies: &mut [Effective]) {
    for effective in policies {
        effective.mode = Mode::Monitor;
    }
}

#[cfg(test)]
mod tests;
