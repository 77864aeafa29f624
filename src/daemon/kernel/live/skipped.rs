//! Runs of the programs that the kernel skipped: what they would have refused was allowed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::kernel::load::Programs;
use crate::kernel::object::EnforcementMode;

/// Asking costs a few calls for each program.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the kernel said last.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    asked: Option<Instant>,
    by_program: BTreeMap<String, u64>,
}

impl Skipped {
    pub(super) fn count(&self, programs: &Programs) -> u64 {
        self.ask(programs).by_program.values().sum()
    }

    /// A sentence for people; `None`: nothing was skipped.
    pub(super) fn limit(&self, programs: &Programs) -> Option<String> {
        sentence(&self.ask(programs).by_program)
    }

    /// Only tracing programs are ever skipped.
    fn ask(&self, programs: &Programs) -> MutexGuard<'_, Said> {
        let mut said = self
            .said
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let is_due = said.asked.is_none_or(|asked| asked.elapsed() >= INTERVAL);
        if programs.mode() == EnforcementMode::FmodRet && is_due {
            said.asked = Some(Instant::now());
            match programs.misses() {
                Ok(misses) => said.by_program = misses,
                Err(error) => tracing::error!(%error, "cannot tell what the kernel skipped"),
            }
        }
        said
    }
}

fn sentence(by_program: &BTreeMap<String, u64>) -> Option<String> {
    let sum: u64 = by_program.values().sum();
    if sum == 0 {
        return None;
    }
    let parts: Vec<String> = by_program
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    Some(format!(
        "fmod_ret: {sum} operations were not looked at, because the kernel skipped a program that \
         was active on the same CPU ({})",
        parts.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::sentence;

    #[test]
    fn what_was_skipped_is_said_by_program() {
        assert_eq!(sentence(&BTreeMap::new()), None);
        let two = BTreeMap::from([("fmod_a".to_owned(), 2), ("fmod_b".to_owned(), 3)]);
        let said = sentence(&two).expect("a sentence");
        assert!(
            said.contains("5 operations") && said.contains("(fmod_a 2, fmod_b 3)"),
            "{said}"
        );
    }
}
