//! Identical operations of one process become one event with a count.
//!
//! The first is reported at once. Those that follow within the window are only counted, and
//! reported together when it ends or when a batch is closed.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Most windows open at once; past that the oldest ends early.
pub const WINDOWS_MAX: usize = 8_192;

/// Counts repetitions of keys; `T` is what is reported for them.
#[derive(Debug)]
pub struct Fold<K, T> {
    window_ns: u64,
    open: HashMap<K, Window<T>>,
    /// Keys in the order in which their windows end.
    order: VecDeque<(u64, K)>,
}

#[derive(Debug)]
struct Window<T> {
    ends_ns: u64,
    repeats: u64,
    /// Of the last repetition.
    last: Option<T>,
}

impl<T> Window<T> {
    fn counted(self) -> Option<(T, u64)> {
        Some((self.last?, self.repeats))
    }
}

impl<K: Clone + Eq + Hash, T> Fold<K, T> {
    pub fn new(window_ns: u64) -> Fold<K, T> {
        Fold {
            window_ns,
            open: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether this key has been reported already: then `repeat` is to be called, else
    /// [`Fold::begin`].
    pub fn is_open(&self, key: &K, now_ns: u64) -> bool {
        self.open
            .get(key)
            .is_some_and(|window| now_ns < window.ends_ns)
    }

    /// Counts a repetition of a key whose window is open.
    pub fn repeat(&mut self, key: &K, value: T) {
        if let Some(window) = self.open.get_mut(key) {
            window.repeats += 1;
            window.last = Some(value);
        }
    }

    /// Opens a window for a key that is being reported. Gives what was counted in the window
    /// before, when that has ended and [`Fold::end`] has not come to it.
    #[must_use]
    pub fn begin(&mut self, key: K, now_ns: u64) -> Option<(T, u64)> {
        let ends_ns = now_ns + self.window_ns;
        self.order.push_back((ends_ns, key.clone()));
        let window = Window {
            ends_ns,
            repeats: 0,
            last: None,
        };
        self.open.insert(key, window).and_then(Window::counted)
    }

    /// Closes windows that have ended, and the oldest while there are too many. Gives what was
    /// counted in them.
    pub fn end(&mut self, now_ns: u64) -> Vec<(T, u64)> {
        let mut counted = Vec::new();
        while let Some((ends_ns, _)) = self.order.front() {
            if *ends_ns > now_ns && self.open.len() <= WINDOWS_MAX {
                break;
            }
            let (ends_ns, key) = self.order.pop_front().expect("it has a front");
            // The key may have begun anew since; then this entry is of the window before.
            if self
                .open
                .get(&key)
                .is_some_and(|window| window.ends_ns == ends_ns)
                && let Some(ended) = self.open.remove(&key)
            {
                counted.extend(ended.counted());
            }
        }
        counted
    }

    /// What was counted so far in windows that stay open, in no order.
    pub fn take_repeats(&mut self) -> Vec<(T, u64)> {
        let windows = self.open.values_mut();
        windows
            .filter_map(|window| {
                let last = window.last.take()?;
                Some((last, std::mem::take(&mut window.repeats)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fold, WINDOWS_MAX};

    #[test]
    fn the_first_is_reported_and_the_rest_counted() {
        let mut fold = Fold::new(100);
        assert!(!fold.is_open(&"a", 0));
        assert_eq!(fold.begin("a", 0), None);
        for now in 1..=5 {
            assert!(fold.is_open(&"a", now));
            fold.repeat(&"a", now);
        }
        assert!(fold.end(99).is_empty());
        assert!(!fold.is_open(&"a", 100));
        assert_eq!(fold.end(100), [(5, 5)]);
        assert!(fold.end(u64::MAX).is_empty());
    }

    #[test]
    fn what_was_taken_is_not_counted_again() {
        let mut fold = Fold::new(100);
        assert_eq!(fold.begin("a", 0), None);
        fold.repeat(&"a", 1);
        fold.repeat(&"a", 2);
        assert_eq!(fold.take_repeats(), [(2, 2)]);
        assert!(fold.take_repeats().is_empty());
        assert!(fold.is_open(&"a", 50), "the next one is counted too");
        fold.repeat(&"a", 3);
        assert_eq!(fold.end(100), [(3, 1)]);
    }

    #[test]
    fn a_window_without_repetition_reports_nothing() {
        let mut fold: Fold<u32, u32> = Fold::new(10);
        assert_eq!(fold.begin(1, 0), None);
        assert!(fold.end(10).is_empty());
    }

    #[test]
    fn a_key_that_begins_anew_keeps_its_own_window() {
        let mut fold = Fold::new(10);
        assert_eq!(fold.begin("a", 0), None);
        assert_eq!(fold.begin("a", 5), None);
        fold.repeat(&"a", 1);
        assert!(fold.end(10).is_empty());
        assert_eq!(fold.end(15), [(1, 1)]);
    }

    #[test]
    fn a_key_that_begins_anew_gives_what_its_last_window_counted() {
        let mut fold = Fold::new(10);
        assert_eq!(fold.begin("a", 0), None);
        fold.repeat(&"a", 3);
        fold.repeat(&"a", 9);
        assert!(!fold.is_open(&"a", 10));
        assert_eq!(fold.begin("a", 10), Some((9, 2)));
        assert!(fold.end(u64::MAX).is_empty());
    }

    proptest! {
        /// As the engine uses it: whatever comes when, every operation is reported or counted.
        #[test]
        fn every_operation_is_told_once(
            steps in prop::collection::vec((0..4_u8, 0..3_u8, 0..30_u64), 0..200)
        ) {
            let mut fold = Fold::new(50);
            let (mut now, mut taken, mut told) = (0, 0, 0);
            let sum = |counted: Vec<((), u64)>| counted.iter().map(|(_, count)| count).sum::<u64>();
            for (step, key, later) in steps {
                now += later;
                match step {
                    0 => told += sum(fold.end(now)),
                    1 => told += sum(fold.take_repeats()),
                    // A record may be read some time after its operation.
                    _ => {
                        let then = now.saturating_sub(later / 2);
                        taken += 1;
                        if fold.is_open(&key, then) {
                            fold.repeat(&key, ());
                        } else {
                            told += 1 + fold.begin(key, then).map_or(0, |(_, count)| count);
                        }
                    }
                }
            }
            told += sum(fold.end(u64::MAX));
            prop_assert_eq!(told, taken);
        }
    }

    #[test]
    fn nothing_is_lost_when_there_are_too_many() {
        let mut fold = Fold::new(1_000_000);
        let mut counted = 0;
        for key in 0..3 * WINDOWS_MAX {
            assert_eq!(fold.begin(key, 1), None);
            fold.repeat(&key, ());
            counted += fold.end(1).iter().map(|(_, count)| count).sum::<u64>();
            assert!(fold.open.len() <= WINDOWS_MAX && fold.order.len() <= WINDOWS_MAX);
        }
        counted += fold
            .end(u64::MAX)
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>();
        assert_eq!(counted, 3 * WINDOWS_MAX as u64);
    }
}
