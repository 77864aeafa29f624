//! TLS for both ends: one provider, one CA, no names that are not checked.
//!
//! The server shows `leaf, CA`, so that a client which knows only the CA's fingerprint can pin it.
//! A host's certificate carries `tyr:host:UUID` as its subject alternative name.

mod connect;
mod identity;
mod pin;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

pub use connect::{Connector, channel};
pub use identity::{HostCertificate, IdentityError, host_uri};

/// Protocol name of HTTP/2, the only one gRPC speaks.
pub const ALPN_H2: &[u8] = b"h2";
/// Protocol name of HTTP/1.1, the only one the REST side speaks.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";

/// SHA-256 of a CA certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// What is wrong with certificates or keys.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what} is not valid PEM: {source}")]
    Pem {
        what: &'static str,
        source: rustls::pki_types::pem::Error,
    },
    #[error("the CA file holds no certificate")]
    NoCertificate,
    #[error("`{0}` is not a fingerprint: expected 64 hex digits")]
    Fingerprint(String),
    #[error("cannot use the CA to check certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("cannot use the certificate: {0}")]
    Rustls(#[from] rustls::Error),
    #[error("`{0}` is not an address of a server: expected HOST:PORT")]
    Address(String),
}

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hex digits.
    ///
    /// # Errors
    ///
    /// The text is anything else.
    pub fn from_hex(text: &str) -> Result<Fingerprint, TlsError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| TlsError::Fingerprint(text.to_owned()))?;
        Ok(Fingerprint(bytes))
    }
}

/// The cryptography every connection of Tyr uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Certificates of a PEM text, in its order.
///
/// # Errors
///
/// The text is not PEM or holds no certificate.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|source| TlsError::Pem {
        what: "the certificate",
        source,
    })?;
    if found.is_empty() {
        Err(TlsError::NoCertificate)
    } else {
        Ok(found)
    }
}

/// The private key of a PEM text.
///
/// # Errors
///
/// The text is not PEM or holds no key.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|source| TlsError::Pem {
        what: "the private key",
        source,
    })
}

/// A server that shows what `resolver` gives.
///
/// With `client_ca`, a client certificate is verified when the client sends one; whether it must
/// have sent one is for the service to say.
///
/// # Errors
///
/// The CA cannot be used.
pub fn server(
    resolver: Arc<dyn ResolvesServerCert>,
    client_ca: Option<&CertificateDer<'static>>,
    alpn: &[u8],
) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(roots(std::slice::from_ref(ca))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        }
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// A client that trusts `ca_pem`, and shows `identity` (certificate chain PEM, key PEM) if given.
///
/// # Errors
///
/// A PEM text or the key is not valid.
pub fn client(
    ca_pem: &[u8],
    identity: Option<(&[u8], &[u8])>,
    alpn: &[u8],
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(&certificates(ca_pem)?)?);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(certificates(chain)?, private_key(key)?)?
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// A client that trusts only the CA with this fingerprint, which the server must send along.
///
/// # Errors
///
/// The provider has no usable protocol version.
pub fn client_pinned(ca: Fingerprint, alpn: &[u8]) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin::Pinned::new(ca)))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone())?;
    }
    Ok(roots)
}

/// Bytes from the operating system's random generator.
///
/// # Errors
///
/// The generator fails.
pub fn random<const N: usize>() -> Result<[u8; N], TlsError> {
    let mut bytes = [0; N];
    provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| TlsError::Rustls(rustls::Error::FailedToGetRandomBytes))?;
    Ok(bytes)
}
