//! Who calls: the host in the client certificate, never a field of a message.

use std::time::SystemTime;

use tonic::{Request, Status};

use super::{Service, internal};
use crate::tls::HostCertificate;

/// The host that a connection belongs to.
///
/// # Errors
///
/// UNAUTHENTICATED: no certificate, not one of a host, or it has ended since the handshake.
pub(super) fn certificate<T>(request: &Request<T>) -> Result<HostCertificate, Status> {
    let certificates = request.peer_certs();
    let leaf = certificates.as_ref().and_then(|chain| chain.first());
    let leaf = leaf.ok_or_else(|| {
        Status::unauthenticated("this call needs the certificate that enrolment gave to the host")
    })?;
    let identity =
        HostCertificate::read(leaf).map_err(|error| Status::unauthenticated(error.to_string()))?;
    check_dates(&identity)?;
    Ok(identity)
}

/// Checks that a certificate has not ended while its connection stayed open.
///
/// # Errors
///
/// UNAUTHENTICATED: it has.
pub(super) fn check_dates(identity: &HostCertificate) -> Result<(), Status> {
    if SystemTime::now() > identity.not_after {
        return Err(Status::unauthenticated(
            "the host's certificate has ended: connect with a renewed one, or enrol again",
        ));
    }
    Ok(())
}

/// The answer to a host that is unknown or revoked.
pub(super) fn not_admitted() -> Status {
    Status::permission_denied("the host is unknown or revoked: enrol it again")
}

impl Service {
    /// The host that calls, if it may.
    ///
    /// # Errors
    ///
    /// Those of [`certificate`]; PERMISSION_DENIED: the host is revoked.
    pub(super) async fn admit<T>(&self, request: &Request<T>) -> Result<HostCertificate, Status> {
        let identity = certificate(request)?;
        let admitted = self.state.db.is_admitted(identity.host_id).await;
        if admitted.map_err(|error| internal(&error))? {
            Ok(identity)
        } else {
            Err(not_admitted())
        }
    }
}
