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

    /// Opens a window for a key that is being reported.
    pub fn begin(&mut self, key: K, now_ns: u64) {
        let ends_ns = now_ns + self.window_ns;
        self.order.push_back((ends_ns, key.clone()));
        self.open.insert(
            key,
            Window {
                ends_ns,
                repeats: 0,
                last: None,
            },
        );
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
                && let Some(Window {
                    repeats,
                    last: Some(last),
                    ..
                }) = self.open.remove(&key)
            {
                counted.push((last, repeats));
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
    use super::{Fold, WINDOWS_MAX};

    #[test]
    fn the_first_is_reported_and_the_rest_counted() {
        let mut fold = Fold::new(100);
        assert!(!fold.is_open(&"a", 0));
        fold.begin("a", 0);
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
        fold.begin("a", 0);
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
        fold.begin(1, 0);
        assert!(fold.end(10).is_empty());
    }

    #[test]
    fn a_key_that_begins_anew_keeps_its_own_window() {
        let mut fold = Fold::new(10);
        fold.begin("a", 0);
        fold.begin("a", 5);
        fold.repeat(&"a", 1);
        assert!(fold.end(10).is_empty());
        assert_eq!(fold.end(15), [(1, 1)]);
    }

    #[test]
    fn nothing_is_lost_when_there_are_too_many() {
        let mut fold = Fold::new(1_000_000);
        let mut counted = 0;
        for key in 0..3 * WINDOWS_MAX {
            fold.begin(key, 1);
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
