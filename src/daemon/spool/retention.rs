//! Which files go when the spool is full.

/// After an eviction the spool is at most this part of its cap, so that evicting is rare.
const LOW_WATER_PERCENT: u64 = 90;

/// How many of the oldest files must go so that the rest fits, given their sizes, oldest first,
/// without the one being written. 0 while the cap holds.
pub fn files_to_evict(oldest_first: &[u64], writing_bytes: u64, bytes_max: u64) -> usize {
    let mut total = oldest_first.iter().sum::<u64>() + writing_bytes;
    if total <= bytes_max {
        return 0;
    }
    let low_water = bytes_max / 100 * LOW_WATER_PERCENT;
    let mut files = 0;
    while total > low_water && files < oldest_first.len() {
        total -= oldest_first[files];
        files += 1;
    }
    files
}
