//! What the kernel counts and the audit must tell: records that were lost, and helpers that failed.

use std::collections::BTreeMap;

use crate::model::event::Body;

/// An alarm of the same counter is repeated at most this often.
const ALARM_INTERVAL_NS: u64 = 60_000_000_000;

/// How one counter is told.
struct Counter {
    name: &'static str,
    /// Of records that are missing in the audit: each is told as lost. Of anything else: an alarm.
    is_loss: bool,
    /// Cause of the loss, or what the alarm says after the number.
    text: &'static str,
}

const COUNTERS: [Counter; 6] = [
    Counter {
        name: "events_lost",
        is_loss: true,
        text: "the kernel's buffer was full",
    },
    Counter {
        name: "events_failed",
        is_loss: true,
        text: "the kernel had no memory for a record",
    },
    Counter {
        name: "faults",
        is_loss: false,
        text: "operations of agents were denied without a record, because a kernel helper failed",
    },
    Counter {
        name: "storage_failed",
        is_loss: false,
        text: "times the kernel had no memory for a task's identity: a fork or exec of an agent was \
               refused, or a program was not looked at",
    },
    Counter {
        name: "sessions_full",
        is_loss: false,
        text: "agents started while the table of sessions was full: each is governed as an agent \
               of unknown type",
    },
    Counter {
        name: "skipped",
        is_loss: false,
        text: "operations were not looked at, because the kernel skipped a program (fmod_ret)",
    },
];

/// When each alarm was last raised.
#[derive(Debug, Default)]
pub(super) struct Told {
    raised_ns: BTreeMap<&'static str, u64>,
}

impl Told {
    /// What `now` says and no event has told. `told` is brought up to it, for the mark of the
    /// batch that the events go into; what is put off stays untold.
    pub(super) fn tell(
        &mut self,
        told: &mut BTreeMap<String, u64>,
        now: &BTreeMap<String, u64>,
        now_ns: u64,
    ) -> Vec<Body> {
        let mut bodies = Vec::new();
        for counter in &COUNTERS {
            let Some(value) = now.get(counter.name).copied() else {
                continue;
            };
            let before = told.get(counter.name).copied().unwrap_or(0);
            // A smaller number: the programs were loaded anew.
            let count = value.checked_sub(before).unwrap_or(value);
            if count > 0 && !counter.is_loss && !self.may_raise(counter.name, now_ns) {
                continue;
            }
            if value != before {
                told.insert(counter.name.to_owned(), value);
            }
            if count > 0 {
                bodies.push(counter.body(count));
            }
        }
        bodies
    }

    fn may_raise(&mut self, name: &'static str, now_ns: u64) -> bool {
        let last = self.raised_ns.get(name).copied();
        if last.is_some_and(|last| now_ns.saturating_sub(last) < ALARM_INTERVAL_NS) {
            return false;
        }
        self.raised_ns.insert(name, now_ns);
        true
    }
}

impl Counter {
    fn body(&self, count: u64) -> Body {
        if self.is_loss {
            Body::Lost {
                cause: self.text.to_owned(),
                count,
            }
        } else {
            Body::Alarm {
                message: format!("{count} {}", self.text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ALARM_INTERVAL_NS, Told};
    use crate::model::event::Body;

    type Counts = BTreeMap<String, u64>;

    fn counts(rows: &[(&str, u64)]) -> Counts {
        rows.iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    fn lost(bodies: &[Body]) -> u64 {
        let counts = bodies.iter().map(|body| match body {
            Body::Lost { count, .. } => *count,
            _ => 0,
        });
        counts.sum()
    }

    #[test]
    fn every_loss_is_told_once_by_its_cause() {
        let (mut told, mut sofar) = (Told::default(), Counts::new());
        let first = counts(&[("events_lost", 5), ("events_failed", 2), ("decisions", 9)]);
        let bodies = told.tell(&mut sofar, &first, 1);
        assert_eq!((bodies.len(), lost(&bodies)), (2, 7));
        assert!(told.tell(&mut sofar, &first, 2).is_empty());
        // Another daemon goes on from the mark.
        let mut next = Told::default();
        let more = counts(&[("events_lost", 6), ("events_failed", 2)]);
        assert_eq!(lost(&next.tell(&mut sofar, &more, 3)), 1);
        // The programs were loaded anew.
        let anew = counts(&[("events_lost", 4), ("events_failed", 0)]);
        assert_eq!(lost(&next.tell(&mut sofar, &anew, 4)), 4);
        assert_eq!(sofar, anew);
    }

    #[test]
    fn alarms_come_at_most_once_a_minute_and_lose_no_count() {
        let (mut told, mut sofar) = (Told::default(), Counts::new());
        let mut raised = Vec::new();
        for step in 0..10 {
            let now = counts(&[("faults", 3 * (step + 1))]);
            let now_ns = step * ALARM_INTERVAL_NS / 4;
            for body in told.tell(&mut sofar, &now, now_ns) {
                let Body::Alarm { message } = body else {
                    panic!("{body:?}");
                };
                let number: u64 = message.split(' ').next().unwrap().parse().unwrap();
                raised.push(number);
            }
        }
        assert_eq!(raised, [3, 12, 12]);
        assert_eq!(sofar["faults"], 27);
    }
}
