//! The built-in CA: it names hosts and the server, and nothing else trusts it.

mod seal;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use uuid::Uuid;

use super::db::{Database, DbError, StoredAuthority};
use crate::tls::{self, Fingerprint, TlsError, host_uri};

pub use seal::SealKey;

const DAY: Duration = Duration::from_secs(86_400);
const CA_LIFETIME: Duration = Duration::from_secs(3_650 * 86_400);
/// The server's own certificate is made anew at every start and after half of this.
pub(super) const SERVER_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Certificates hold a little earlier than now, for hosts whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(600);
const CSR_BYTES_MAX: usize = 16 * 1024;

/// What the CA cannot do.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the signing request is not valid: {0}")]
    Request(#[source] rcgen::Error),
    #[error("the signing request has {0} bytes, the most is {CSR_BYTES_MAX}")]
    RequestTooLong(usize),
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    #[error("`{0}` cannot be a name in the server's certificate")]
    Name(String),
    #[error(
        "the CA's key is sealed: give the server the file it was sealed with, ca_seal_key_file"
    )]
    Sealed,
    #[error("the CA's key cannot be opened with ca_seal_key_file: it was sealed with another one")]
    WrongSeal,
    #[error("the seal key must be exactly 32 bytes as 64 hex digits")]
    SealKey,
    #[error("the CA that the database holds cannot be read")]
    Unreadable,
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The CA with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A host's new certificate.
#[derive(Clone, Debug)]
pub struct Signed {
    pub pem: String,
    /// Hex.
    pub serial: String,
    pub expires_at: Timestamp,
}

impl Authority {
    /// The CA of this database; the first server makes it.
    ///
    /// # Errors
    ///
    /// The database fails, or the key was sealed and `seal` does not open it.
    pub async fn load(db: &Database, seal: Option<&SealKey>) -> Result<Authority, AuthorityError> {
        if db.authority().await?.is_none() {
            db.create_authority(&generate(seal)?).await?;
            tracing::info!("made the certificate authority");
        }
        let stored = db.authority().await?.ok_or(AuthorityError::Unreadable)?;
        let key = match (stored.key_sealed, seal) {
            (false, _) => stored.key,
            (true, Some(seal)) => seal.open(&stored.key)?,
            (true, None) => return Err(AuthorityError::Sealed),
        };
        let key = String::from_utf8(key).map_err(|_| AuthorityError::Unreadable)?;
        let key = KeyPair::from_pem(&key).map_err(|_| AuthorityError::Unreadable)?;
        let mut certificates = tls::certificates(stored.certificate_pem.as_bytes())?;
        let certificate = certificates.swap_remove(0);
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|_| AuthorityError::Unreadable)?;
        Ok(Authority {
            issuer,
            certificate,
            pem: stored.certificate_pem,
        })
    }

    /// PEM of the CA's certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What enrolment tokens carry.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Signs the key of a request for `host_id`. Whatever else it asks for is ignored.
    ///
    /// # Errors
    ///
    /// The request is not valid, or not signed by the key in it.
    pub fn sign_host(
        &self,
        request: &[u8],
        host_id: Uuid,
        lifetime: Duration,
    ) -> Result<Signed, AuthorityError> {
        if request.len() > CSR_BYTES_MAX {
            return Err(AuthorityError::RequestTooLong(request.len()));
        }
        let request = CertificateSigningRequestDer::from(request);
        let asked =
            CertificateSigningRequestParams::from_der(&request).map_err(AuthorityError::Request)?;
        let uri = host_uri(host_id);
        let uri = uri
            .as_str()
            .try_into()
            .map_err(AuthorityError::Certificate)?;
        let (mut params, expires) = params(&format!("tyr host {host_id}"), lifetime)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = params.serial_number.clone().map(|serial| serial.to_bytes());
        let asked = CertificateSigningRequestParams {
            params,
            public_key: asked.public_key,
        };
        let certificate = asked
            .signed_by(&self.issuer)
            .map_err(AuthorityError::Certificate)?;
        Ok(Signed {
            pem: certificate.pem(),
            serial: hex::encode(serial.unwrap_or_default()),
            expires_at: Timestamp::try_from(expires).map_err(|_| AuthorityError::Unreadable)?,
        })
    }

    /// A new key and certificate for a server of these names, with the CA in its chain.
    ///
    /// # Errors
    ///
    /// A name is neither an address nor a DNS name.
    pub fn server_certificate(&self, names: &[String]) -> Result<CertifiedKey, AuthorityError> {
        let first = names.first().map_or("tyr server", String::as_str);
        let (mut params, _) = params(first, SERVER_LIFETIME)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(
                    name.as_str()
                        .try_into()
                        .map_err(|_| AuthorityError::Name(name.clone()))?,
                ),
            });
        }
        let key = KeyPair::generate().map_err(AuthorityError::Certificate)?;
        let leaf = params
            .signed_by(&key, &self.issuer)
            .map_err(AuthorityError::Certificate)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(chain, key, &tls::provider())
            .map_err(|error| AuthorityError::Tls(error.into()))
    }
}

/// What all certificates share: a random serial, a subject, and when they hold.
fn params(
    subject: &str,
    lifetime: Duration,
) -> Result<(CertificateParams, SystemTime), AuthorityError> {
    let now = SystemTime::now();
    let expires = now + lifetime;
    let mut serial: [u8; 16] = tls::random()?;
    // Positive, and of one length.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = (now - BACKDATED).into();
    params.not_after = expires.into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok((params, expires))
}

fn generate(seal: Option<&SealKey>) -> Result<StoredAuthority, AuthorityError> {
    let (mut params, _) = params("Tyr CA", CA_LIFETIME + DAY)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(AuthorityError::Certificate)?;
    let certificate = params
        .self_signed(&key)
        .map_err(AuthorityError::Certificate)?;
    let plain = key.serialize_pem().into_bytes();
    Ok(StoredAuthority {
        certificate_pem: certificate.pem(),
        key_sealed: seal.is_some(),
        key: match seal {
            None => plain,
            Some(seal) => seal.seal(plain)?,
        },
    })
}

/// The server's certificate, which can be exchanged while connections are open.
#[derive(Debug)]
pub struct ServerCertificate(RwLock<Arc<CertifiedKey>>);

impl ServerCertificate {
    /// Shows this certificate from now on.
    pub fn new(key: CertifiedKey) -> ServerCertificate {
        ServerCertificate(RwLock::new(Arc::new(key)))
    }

    /// Shows another certificate to new connections.
    pub fn replace(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}
