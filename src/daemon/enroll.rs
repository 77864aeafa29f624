//! Becoming a host, once, and staying one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tonic::Code;

use crate::exit::{Exit, Failure, chain};
use crate::tls::{self, Fingerprint};
use crate::wire::proto::enrollment_service_client::EnrollmentServiceClient;
use crate::wire::proto::{EnrollRequest, RenewRequest};

use super::identity::{Identity, NewKey};
use super::state::StateDir;

const ENROLL_TIMEOUT: Duration = Duration::from_secs(30);
const RENEW_RETRY: Duration = Duration::from_secs(60);

/// An enrolment token as `tyr enrollment-token create` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    secret: String,
    ca: Fingerprint,
}

impl Token {
    /// Reads `tyr_et_SECRET.FINGERPRINT`.
    ///
    /// # Errors
    ///
    /// The text is anything else.
    pub fn parse(text: &str) -> Result<Token, Failure> {
        let wrong = || {
            Failure::new(Exit::Usage, "the enrolment token is not one")
                .help("give it as `tyr enrollment-token create` printed it: tyr_et_….…")
        };
        let rest = text.strip_prefix("tyr_et_").ok_or_else(wrong)?;
        let (secret, fingerprint) = rest.split_once('.').ok_or_else(wrong)?;
        let ca = Fingerprint::from_hex(fingerprint).map_err(|_| wrong())?;
        if secret.is_empty() {
            return Err(wrong());
        }
        Ok(Token {
            secret: secret.to_owned(),
            ca,
        })
    }
}

/// What the server is told about this machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub hostname: String,
    pub machine_id: String,
    pub labels: BTreeMap<String, String>,
}

/// Redeems the token. The secret is sent only to a server whose CA the token names.
///
/// # Errors
///
/// The server is not reached or is another one, or the token cannot be used.
pub async fn enroll(server: &str, token: &Token, machine: &Machine) -> Result<Identity, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::caused(
            Exit::Unavailable,
            format!("cannot enrol with {server}"),
            error,
        )
    };
    let config = tls::client_pinned(token.ca, tls::ALPN_H2).map_err(|error| failed(&error))?;
    // Connected here first, so that a wrong fingerprint is told from a server that is away.
    let connector = tls::Connector::new(server, config.clone()).map_err(|error| failed(&error))?;
    if let Err(error) = connector.connect().await {
        return Err(refused_connection(server, &error));
    }
    let channel = tls::channel(server, config).map_err(|error| failed(&error))?;
    let key = NewKey::generate().map_err(|error| failed(&error))?;
    let request = EnrollRequest {
        token: token.secret.clone(),
        csr_der: key.csr_der.clone(),
        hostname: machine.hostname.clone(),
        machine_id: machine.machine_id.clone(),
        labels: machine.labels.clone().into_iter().collect(),
    };
    let mut client = EnrollmentServiceClient::new(channel);
    let answer = tokio::time::timeout(ENROLL_TIMEOUT, client.enroll(request)).await;
    let answer = match answer {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Err(refusal(server, &status)),
        Err(_) => {
            return Err(Failure::new(
                Exit::Unavailable,
                format!("{server} did not answer in time"),
            ));
        }
    };
    key.signed(None, answer.certificate_pem, answer.ca_pem)
        .map_err(|error| failed(&error))
}

fn refused_connection(server: &str, error: &std::io::Error) -> Failure {
    let text = chain(error);
    if text.contains("certificate") {
        return Failure::new(
            Exit::NoPermission,
            format!("{server} is not the server of this token: {text}"),
        )
        .help("the token names the CA it was made by: check --server, or ask for a new token");
    }
    Failure::new(Exit::Unavailable, format!("cannot reach {server}: {text}"))
        .help("check the address and that `tyr server` runs there")
}

fn refusal(server: &str, status: &tonic::Status) -> Failure {
    let message = format!("{server} refused to enrol this host: {}", status.message());
    match status.code() {
        Code::Unauthenticated => Failure::new(Exit::NoPermission, message)
            .help("a token is used up, expires or is revoked: make a new one with `tyr enrollment-token create`"),
        Code::InvalidArgument => Failure::new(Exit::Data, message),
        _ => Failure::new(Exit::Unavailable, message),
    }
}

/// Renews the certificate after two thirds of its life, for as long as the daemon runs. Everybody
/// who speaks with the server follows `identity`.
pub async fn keep_renewed(
    server: String,
    state: Arc<StateDir>,
    identity: watch::Sender<Arc<Identity>>,
) {
    loop {
        let current = Arc::clone(&identity.borrow());
        let due = current.renew_at().unwrap_or_else(|_| SystemTime::now());
        let wait = due.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::sleep(wait).await;
        match renew(&server, &current).await {
            Ok(renewed) => {
                if let Err(error) = renewed.store(&state) {
                    tracing::error!(
                        error = chain(&error),
                        "cannot store the renewed certificate"
                    );
                }
                tracing::info!(host = %renewed.host_id, "renewed the certificate");
                identity.send_replace(Arc::new(renewed));
            }
            Err(failure) => {
                tracing::warn!(error = failure.message, "cannot renew the certificate");
                tokio::time::sleep(RENEW_RETRY).await;
            }
        }
    }
}

async fn renew(server: &str, current: &Identity) -> Result<Identity, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::caused(
            Exit::Unavailable,
            format!("cannot renew with {server}"),
            error,
        )
    };
    let config = current.client().map_err(|error| failed(&error))?;
    let channel = tls::channel(server, config).map_err(|error| failed(&error))?;
    let key = NewKey::generate().map_err(|error| failed(&error))?;
    let request = RenewRequest {
        csr_der: key.csr_der.clone(),
    };
    let mut client = EnrollmentServiceClient::new(channel);
    let answer = tokio::time::timeout(ENROLL_TIMEOUT, client.renew(request)).await;
    let answer = answer
        .map_err(|elapsed| failed(&elapsed))?
        .map_err(|status| failed(&status))?
        .into_inner();
    key.signed(Some(current.host_id), answer.certificate_pem, answer.ca_pem)
        .map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_a_secret_and_a_fingerprint() {
        let fingerprint = "ab".repeat(32);
        let token = Token::parse(&format!("tyr_et_s3cret.{fingerprint}")).unwrap();
        assert_eq!(token.secret, "s3cret");
        assert_eq!(token.ca.to_hex(), fingerprint);
        for wrong in [
            String::new(),
            "tyr_et_x".to_owned(),
            format!("tyr_et_.{fingerprint}"),
            format!("tyr_at_x.{fingerprint}"),
            "tyr_et_x.abcd".to_owned(),
        ] {
            assert!(Token::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
