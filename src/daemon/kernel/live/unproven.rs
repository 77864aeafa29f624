//! Why enforcement is not claimed, and since when.

/// Enforcement could not be proved.
#[derive(Clone, Debug)]
pub(super) struct Unproven {
    pub(super) reason: String,
    since: jiff::Zoned,
}

impl Unproven {
    pub(super) fn now(reason: String) -> Unproven {
        let since = jiff::Zoned::now();
        Unproven { reason, since }
    }
}

impl std::fmt::Display for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = self.since.strftime("%Y-%m-%d %H:%M:%S %:z");
        write!(f, "unproven since {since}: {}", self.reason)
    }
}
