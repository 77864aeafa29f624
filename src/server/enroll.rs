//! A token and a signing request become a host.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::authority::{Authority, AuthorityError, Signed};
use super::db::{Database, DbError, NewHost};
use super::secret;

const HOSTNAME_BYTES_MAX: usize = 253;
const MACHINE_ID_BYTES_MAX: usize = 128;
pub(super) const LABELS_MAX: usize = 64;
const LABEL_BYTES_MAX: usize = 256;
const TOKEN_BYTES_MAX: usize = 512;

/// Why a host is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    #[error("the enrolment token is unknown, used up, expired or revoked: ask for a new one")]
    Token,
    #[error("{field} is {problem}")]
    Field {
        field: &'static str,
        problem: String,
    },
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a machine asks for.
pub struct Request {
    pub token: String,
    pub csr_der: Vec<u8>,
    pub hostname: String,
    pub machine_id: String,
    pub labels: BTreeMap<String, String>,
    /// Where it connected from.
    pub address: String,
}

/// Redeems a token once and signs the certificate of a new host.
///
/// # Errors
///
/// The request is malformed, the token cannot be redeemed, or the database fails; then the token
/// has not lost a use.
pub async fn enroll(
    db: &Database,
    authority: &Authority,
    lifetime: Duration,
    request: Request,
) -> Result<(Uuid, Signed), EnrollError> {
    check("hostname", &request.hostname, 1, HOSTNAME_BYTES_MAX)?;
    check("machine_id", &request.machine_id, 0, MACHINE_ID_BYTES_MAX)?;
    check_labels(&request.labels)?;
    if request.token.len() > TOKEN_BYTES_MAX {
        return Err(EnrollError::Token);
    }
    let id = Uuid::new_v4();
    let signed = authority.sign_host(&request.csr_der, id, lifetime)?;
    let host = NewHost {
        id,
        hostname: request.hostname,
        machine_id: request.machine_id,
        labels: request.labels,
        certificate_serial: signed.serial.clone(),
        certificate_expires_at: signed.expires_at,
    };
    let hash = secret::enrollment_sha256(&request.token);
    db.redeem(&hash, &request.address, &host)
        .await?
        .ok_or(EnrollError::Token)?;
    tracing::info!(host = %id, hostname = host.hostname, "enrolled a host");
    Ok((id, signed))
}

/// Checks labels that a host gives.
///
/// # Errors
///
/// Too many, too long, or with characters that cannot be shown.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), EnrollError> {
    if labels.len() > LABELS_MAX {
        let problem = format!("{} entries long, the most is {LABELS_MAX}", labels.len());
        return Err(EnrollError::Field {
            field: "labels",
            problem,
        });
    }
    for (key, value) in labels {
        check("a label's key", key, 1, LABEL_BYTES_MAX)?;
        check("a label's value", value, 0, LABEL_BYTES_MAX)?;
    }
    Ok(())
}

fn check(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), EnrollError> {
    if !(min..=max).contains(&text.len()) {
        let problem = format!("{} bytes long: it must have {min} to {max}", text.len());
        return Err(EnrollError::Field { field, problem });
    }
    if text.chars().any(char::is_control) {
        let problem = "not printable text".to_owned();
        return Err(EnrollError::Field { field, problem });
    }
    Ok(())
}
