//! What closes every batch in the spool: where the daemon after this one goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// State that changes exactly when its events are on disk. None of it outlives a boot. What a
/// version does not know it leaves out, and what is missing begins anew, so that the rest holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub boot_id: String,
    /// Identity of the ring buffer, and the position up to which its records are spooled.
    pub ring: Option<(u64, u64)>,
    /// Of the kernel's counters that are told in events: how far each has been told.
    #[serde(default)]
    pub told: BTreeMap<String, u64>,
    /// Sessions whose end is reported, and which the kernel may still hold.
    pub ended: Vec<u64>,
    /// Sessions of agents that were found running and whose start is reported.
    #[serde(default)]
    pub started: BTreeSet<u64>,
    /// What replaced programs left behind is told, and their maps may still be there.
    #[serde(default)]
    pub left_told: bool,
}

impl Mark {
    /// The mark of this boot; a new one when the spool has none, or one of another boot.
    pub fn decode(bytes: Option<&[u8]>, boot_id: &str) -> Mark {
        let stored = bytes.and_then(|bytes| serde_json::from_slice::<Mark>(bytes).ok());
        stored
            .filter(|mark| mark.boot_id == boot_id)
            .unwrap_or_else(|| Mark {
                boot_id: boot_id.to_owned(),
                ..Mark::default()
            })
    }

    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;

    #[test]
    fn only_the_mark_of_this_boot_counts() {
        let mark = Mark {
            boot_id: "one".to_owned(),
            ring: Some((7, 4096)),
            told: [("events_lost".to_owned(), 3)].into(),
            ended: vec![9],
            started: [1 << 63].into(),
            left_told: true,
        };
        let bytes = mark.encode();
        assert_eq!(Mark::decode(Some(&bytes), "one"), mark);
        for other in [Some(bytes.as_slice()), Some(b"{".as_slice()), None] {
            let new = Mark::decode(other, "two");
            assert_eq!((new.boot_id.as_str(), new.ring), ("two", None));
            assert_eq!(
                (new.told.len(), new.ended.len(), new.started.len()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn a_mark_of_another_version_holds_as_far_as_it_is_understood() {
        let bytes = br#"{"boot_id":"one","ring":[7,64],"ended":[2],"more":{"of":"it"}}"#;
        let mark = Mark::decode(Some(bytes), "one");
        assert_eq!(
            (mark.ring, mark.ended.as_slice()),
            (Some((7, 64)), [2].as_slice())
        );
    }
}
