//! Who a client certificate is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use uuid::Uuid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const HOST_URI: &str = "tyr:host:";

/// The identity in a host's certificate. Whether the CA signed it, TLS has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    pub host_id: Uuid,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    /// Serial number, hex.
    pub serial: String,
}

/// The certificate is not one of a host.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the client certificate cannot be read")]
    Unreadable,
    #[error("the client certificate names no host: expected one URI `tyr:host:UUID`")]
    NoHost,
}

/// The subject alternative name of a host.
pub fn host_uri(host_id: Uuid) -> String {
    format!("{HOST_URI}{host_id}")
}

impl HostCertificate {
    /// Reads the identity out of a certificate.
    ///
    /// # Errors
    ///
    /// The bytes are no certificate, or it does not name exactly one host.
    pub fn read(der: &CertificateDer<'_>) -> Result<HostCertificate, IdentityError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| IdentityError::Unreadable)?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::Unreadable)?
            .ok_or(IdentityError::NoHost)?;
        let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
            return Err(IdentityError::NoHost);
        };
        let text = uri.strip_prefix(HOST_URI).ok_or(IdentityError::NoHost)?;
        let host_id = Uuid::try_parse(text).map_err(|_| IdentityError::NoHost)?;
        let validity = certificate.validity();
        Ok(HostCertificate {
            host_id,
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
            serial: hex::encode(certificate.raw_serial()),
        })
    }
}

fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
