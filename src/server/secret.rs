//! Secrets that people carry: made here, shown once, kept as hashes.

use sha2::{Digest, Sha256};

use crate::tls::{self, Fingerprint, TlsError};

const ENROLLMENT_PREFIX: &str = "tyr_et_";
const API_PREFIX: &str = "tyr_at_";

/// A secret that was just made.
pub struct NewSecret {
    /// What the person gets.
    pub shown: String,
    /// What is kept.
    pub sha256: [u8; 32],
}

/// An enrolment token: the secret, and the fingerprint of the CA that a host shall trust.
///
/// # Errors
///
/// The operating system gives no random bytes.
pub fn enrollment_token(ca: Fingerprint) -> Result<NewSecret, TlsError> {
    let secret = hex::encode(tls::random::<20>()?);
    Ok(NewSecret {
        shown: format!("{ENROLLMENT_PREFIX}{secret}.{}", ca.to_hex()),
        sha256: sha256(&secret),
    })
}

/// A token for the REST interface.
///
/// # Errors
///
/// The operating system gives no random bytes.
pub fn api_token() -> Result<NewSecret, TlsError> {
    let shown = format!("{API_PREFIX}{}", hex::encode(tls::random::<20>()?));
    Ok(NewSecret {
        sha256: sha256(&shown),
        shown,
    })
}

/// The hash of an enrolment token's secret, whether a daemon sends the secret alone or all of it.
pub fn enrollment_sha256(token: &str) -> [u8; 32] {
    let secret = token.strip_prefix(ENROLLMENT_PREFIX).unwrap_or(token);
    sha256(secret.split('.').next().unwrap_or_default())
}

/// The hash of an API token.
pub fn api_sha256(token: &str) -> [u8; 32] {
    sha256(token)
}

/// 160 random bits need no slow hash: there is nothing to guess.
fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
