//! The hash chain that ties every record to all before it.

use sha2::{Digest, Sha256};

/// SHA-256 after a record; the chain before the first record is all zero.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain(pub [u8; 32]);

impl Chain {
    /// The chain after a record: SHA-256(this, sequence as 8 bytes big endian, event).
    pub fn after(self, sequence: u64, event: &[u8]) -> Chain {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(sequence.to_be_bytes());
        hash.update(event);
        Chain(hash.finalize().into())
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({})", hex::encode(&self.0[..8]))
    }
}
