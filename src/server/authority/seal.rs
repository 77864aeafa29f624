//! The CA's key under a key that is not in the database, so that a copy of the database is not
//! yet the CA.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::AuthorityError;
use crate::tls;

/// Bound to every sealed key, so that it opens as nothing else.
const PURPOSE: &[u8] = b"tyr ca key v1";

/// 32 secret bytes from `ca_seal_key_file`.
pub struct SealKey(LessSafeKey);

impl SealKey {
    /// Reads 64 hex digits; space around them is ignored.
    ///
    /// # Errors
    ///
    /// The text is anything else.
    pub fn from_hex(text: &str) -> Result<SealKey, AuthorityError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| AuthorityError::SealKey)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| AuthorityError::SealKey)?;
        Ok(SealKey(LessSafeKey::new(key)))
    }

    /// Nonce, ciphertext and tag.
    pub(super) fn seal(&self, mut plain: Vec<u8>) -> Result<Vec<u8>, AuthorityError> {
        let nonce: [u8; NONCE_LEN] = tls::random()?;
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(PURPOSE),
                &mut plain,
            )
            .map_err(|_| AuthorityError::SealKey)?;
        Ok([nonce.as_slice(), &plain].concat())
    }

    /// What [`SealKey::seal`] was given.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        let (nonce, text) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or(AuthorityError::WrongSeal)?;
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| AuthorityError::WrongSeal)?;
        let mut text = text.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(PURPOSE), &mut text)
            .map_err(|_| AuthorityError::WrongSeal)?;
        Ok(plain.to_vec())
    }
}
