//! Events on their way into the database: checked where they arrive, committed in groups.

mod batch;
mod tally;
mod writer;

#[cfg(test)]
mod tests;

use crate::wire::convert::ConvertError;

pub use batch::{BATCH_RECORDS_MAX, Batch};
pub use writer::{Writer, start};

/// Why a batch is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a batch has {0} records, the most is {BATCH_RECORDS_MAX}")]
    TooMany(usize),
    #[error("record {found} follows record {before}: a batch holds consecutive records")]
    Order { before: u64, found: u64 },
    #[error("records after {acknowledged} are missing: the batch begins with {found}")]
    Missing { acknowledged: u64, found: u64 },
    #[error("the hash chain breaks at record {sequence}: it does not continue record {before}")]
    Chain { before: u64, sequence: u64 },
    #[error("the host is unknown or revoked")]
    NotAdmitted,
    #[error("the database does not answer; send the batch again")]
    Unavailable,
}

/// An event that cannot be read must not stop the audit, nor vanish from it.
fn unreadable(error: &ConvertError, bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 4_096;
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    format!(
        "this server cannot read the event: {error}; its bytes: {}",
        hex::encode(shown)
    )
}
