//! Who this host is to the server: its key, its certificate, and the CA of both.

use std::io;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tls::{self, HostCertificate, TlsError};

use super::state::StateDir;

/// One file, so that key, certificate and CA are always of one enrolment.
const FILE: &str = "identity.json";

/// The identity of an enrolled host.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub host_id: Uuid,
    key_pem: String,
    certificate_pem: String,
    ca_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("host_id", &self.host_id)
            .finish_non_exhaustive()
    }
}

/// What is wrong with an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read or write {FILE} in the state folder")]
    File(#[from] io::Error),
    #[error("{FILE} in the state folder is damaged; remove it and enrol again")]
    Damaged(#[source] serde_json::Error),
    #[error("cannot make a key or a signing request")]
    Key(#[from] rcgen::Error),
    #[error("cannot use the certificate of this host")]
    Tls(#[from] TlsError),
    #[error("the server gave a certificate that is not one of a host")]
    Certificate(#[from] tls::IdentityError),
    #[error("the server gave a certificate for host {found}, expected {expected}")]
    OtherHost { found: Uuid, expected: Uuid },
}

/// A key and the request to sign it.
pub struct NewKey {
    key_pem: String,
    /// PKCS #10, DER.
    pub csr_der: Vec<u8>,
}

impl NewKey {
    /// # Errors
    ///
    /// The operating system gives no random bytes.
    pub fn generate() -> Result<NewKey, IdentityError> {
        let key = KeyPair::generate()?;
        let request = CertificateParams::default().serialize_request(&key)?;
        Ok(NewKey {
            key_pem: key.serialize_pem(),
            csr_der: request.der().to_vec(),
        })
    }

    /// The identity that the server made of the request. `expected` is the host it must be.
    ///
    /// # Errors
    ///
    /// The answer is not a certificate of that host, or does not go with the key.
    pub fn signed(
        self,
        expected: Option<Uuid>,
        certificate_pem: String,
        ca_pem: String,
    ) -> Result<Identity, IdentityError> {
        let chain = tls::certificates(certificate_pem.as_bytes())?;
        let host_id = HostCertificate::read(&chain[0])?.host_id;
        if let Some(expected) = expected
            && expected != host_id
        {
            return Err(IdentityError::OtherHost {
                found: host_id,
                expected,
            });
        }
        let identity = Identity {
            host_id,
            key_pem: self.key_pem,
            certificate_pem,
            ca_pem,
        };
        identity.client()?;
        Ok(identity)
    }
}

impl Identity {
    /// The stored identity; `None` when this host is not enrolled.
    ///
    /// # Errors
    ///
    /// There is one and it cannot be read.
    pub fn load(state: &StateDir) -> Result<Option<Identity>, IdentityError> {
        match state.read(FILE)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(IdentityError::Damaged),
            None => Ok(None),
        }
    }

    /// # Errors
    ///
    /// The disk refuses; the identity before is still there.
    pub fn store(&self, state: &StateDir) -> Result<(), IdentityError> {
        let bytes = serde_json::to_vec_pretty(self).map_err(IdentityError::Damaged)?;
        Ok(state.write(FILE, &bytes)?)
    }

    /// TLS that shows this host's certificate and trusts only the CA.
    ///
    /// # Errors
    ///
    /// Key, certificate or CA are not valid.
    pub fn client(&self) -> Result<ClientConfig, IdentityError> {
        let identity = (self.certificate_pem.as_bytes(), self.key_pem.as_bytes());
        Ok(tls::client(
            self.ca_pem.as_bytes(),
            Some(identity),
            tls::ALPN_H2,
        )?)
    }

    /// When to renew: after two thirds of the certificate's life.
    ///
    /// # Errors
    ///
    /// The certificate cannot be read.
    pub fn renew_at(&self) -> Result<SystemTime, IdentityError> {
        let chain = tls::certificates(self.certificate_pem.as_bytes())?;
        let certificate = HostCertificate::read(&chain[0])?;
        let life = certificate.not_after.duration_since(certificate.not_before);
        Ok(certificate.not_before + life.unwrap_or(Duration::ZERO) * 2 / 3)
    }
}
