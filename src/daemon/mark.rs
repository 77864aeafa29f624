//! What closes every batch in the spool: where the daemon after this one goes on.

use serde::{Deserialize, Serialize};

/// State that changes exactly when its events are on disk. None of it outlives a boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub boot_id: String,
    /// Identity of the ring buffer, and the position up to which its records are spooled.
    pub ring: Option<(u64, u64)>,
    /// Lost records of this boot that have been reported.
    pub events_lost: u64,
    /// Sessions whose end is reported, and which the kernel may still hold.
    pub ended: Vec<u64>,
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
            events_lost: 3,
            ended: vec![9],
        };
        let bytes = mark.encode();
        assert_eq!(Mark::decode(Some(&bytes), "one"), mark);
        for other in [Some(bytes.as_slice()), Some(b"{".as_slice()), None] {
            let new = Mark::decode(other, "two");
            assert_eq!((new.boot_id.as_str(), new.ring), ("two", None));
            assert_eq!((new.events_lost, new.ended), (0, Vec::new()));
        }
    }
}
