//! Asks a server for its CA, before anything is believed: a handshake that sends nothing.

use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::cli::client::{Address, unreachable};
use crate::exit::{Exit, Failure};
use crate::tls::{self, Connector, Fingerprint};

/// The CA at the end of the chain that `address` shows. The connection is verified against it,
/// so a server that shows a CA which did not sign it is refused.
pub(super) async fn ask(address: &Address) -> Result<CertificateDer<'static>, Failure> {
    let look = Arc::new(Look {
        chain: Mutex::default(),
        provider: tls::provider(),
    });
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unreachable(address, &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&look) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.alpn_protocols = vec![tls::ALPN_HTTP1.to_vec()];
    handshake(address, config).await?;
    let shown = look
        .chain
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .pop();
    let ca = shown.ok_or_else(|| {
        Failure::new(
            Exit::Protocol,
            format!("{address} shows no CA with its certificate"),
        )
        .help("give the CA with --ca-file")
    })?;
    let pinned = tls::client_pinned(Fingerprint::of(&ca), tls::ALPN_HTTP1)
        .map_err(|error| unreachable(address, &error))?;
    handshake(address, pinned).await?;
    Ok(ca)
}

async fn handshake(address: &Address, config: ClientConfig) -> Result<(), Failure> {
    let connector = Connector::new(&address.authority(), config)
        .map_err(|error| unreachable(address, &error))?;
    connector
        .connect()
        .await
        .map(drop)
        .map_err(|error| unreachable(address, &error))
}

/// Remembers what the server shows behind its own certificate.
#[derive(Debug)]
struct Look {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self
            .chain
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = intermediates
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
