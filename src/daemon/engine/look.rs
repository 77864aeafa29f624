//! When the kernel is asked which sessions live: that walks all of its tasks.
//!
//! A session lives at least as long as its root process does. After that every exit in it may be
//! its last one. What no record tells of is found by a slow sweep.

use std::collections::HashSet;

/// Records may be lost, and a zombie is a task until its parent asks for it.
pub(super) const SWEEP_NS: u64 = 10_000_000_000;
/// An exit is told a moment before its task is gone.
const SOON_NS: u64 = 200_000_000;

#[derive(Debug)]
pub(super) struct Look {
    due_ns: u64,
    gap_ns: u64,
    /// Sessions whose root process has ended, or is another session's now.
    rootless: HashSet<u64>,
}

impl Look {
    /// The first look is due at once: sessions may have ended before this daemon began.
    pub(super) fn new() -> Look {
        Look {
            due_ns: 0,
            gap_ns: SWEEP_NS,
            rootless: HashSet::new(),
        }
    }

    /// The root process of a session has left it.
    pub(super) fn root_left(&mut self, session: u64, now_ns: u64) {
        self.rootless.insert(session);
        self.soon(now_ns);
    }

    /// A process of a session has ended. Whether it may have been the last one.
    pub(super) fn exited(&mut self, session: u64, now_ns: u64) -> bool {
        let is_rootless = self.rootless.contains(&session);
        if is_rootless {
            self.soon(now_ns);
        }
        is_rootless
    }

    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.due_ns
    }

    /// After a look. `is_settled`: no session was seen dead for the first time. Sessions without
    /// a root are looked at again, ever more rarely.
    pub(super) fn looked(&mut self, now_ns: u64, ended: &[u64], is_settled: bool) {
        for session in ended {
            self.rootless.remove(session);
        }
        self.gap_ns = match (is_settled, self.rootless.is_empty()) {
            (false, _) => SOON_NS,
            (true, true) => SWEEP_NS,
            (true, false) => (self.gap_ns * 2).min(SWEEP_NS),
        };
        self.due_ns = now_ns + self.gap_ns;
    }

    fn soon(&mut self, now_ns: u64) {
        self.gap_ns = SOON_NS;
        self.due_ns = self.due_ns.min(now_ns + SOON_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, SOON_NS, SWEEP_NS};

    #[test]
    fn while_roots_live_only_the_sweep_looks() {
        let mut look = Look::new();
        assert!(look.is_due(0));
        look.looked(0, &[], true);
        assert!(!look.exited(1, SOON_NS));
        assert!(!look.is_due(SWEEP_NS - 1));
        assert!(look.is_due(SWEEP_NS));
    }

    #[test]
    fn a_session_without_its_root_is_looked_at_after_each_exit() {
        let mut look = Look::new();
        look.looked(0, &[], true);
        look.root_left(1, 10);
        assert!(look.is_due(10 + SOON_NS));
        // Children live on: the looks grow rare, until one of them ends.
        let mut now_ns = 10 + SOON_NS;
        for gap_ns in [2 * SOON_NS, 4 * SOON_NS, 8 * SOON_NS] {
            look.looked(now_ns, &[], true);
            assert!(!look.is_due(now_ns + gap_ns - 1));
            now_ns += gap_ns;
            assert!(look.is_due(now_ns));
        }
        look.looked(now_ns, &[], true);
        assert!(!look.exited(2, now_ns));
        assert!(look.exited(1, now_ns));
        assert!(look.is_due(now_ns + SOON_NS));
        look.looked(now_ns, &[1], true);
        assert!(!look.exited(1, now_ns));
        assert!(!look.is_due(now_ns + SWEEP_NS - 1));
    }

    #[test]
    fn what_is_seen_dead_once_is_settled_soon() {
        let mut look = Look::new();
        look.looked(0, &[], false);
        assert!(look.is_due(SOON_NS));
    }
}
