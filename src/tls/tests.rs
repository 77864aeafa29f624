use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use uuid::Uuid;

use super::{ALPN_H2, Fingerprint, HostCertificate, client, client_pinned, host_uri, server};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

/// A certificate by `issuer` with its key.
fn leaf(issuer: &Issuer, names: Vec<SanType>) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    (params.signed_by(&key, issuer).expect("a certificate"), key)
}

/// Shakes hands with a server under `issuer` that calls itself localhost.
async fn handshake(issuer: &Issuer, config: rustls::ClientConfig) -> Result<(), String> {
    let (certificate, key) = leaf(
        issuer,
        vec![SanType::DnsName("localhost".try_into().expect("a name"))],
    );
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![certificate.der().clone(), issuer.der().clone()];
    let key = CertifiedKey::from_der(chain, key, &super::provider()).expect("a usable key");
    let mut resolver = ResolvesServerCertUsingSni::new();
    resolver
        .add("localhost", key)
        .expect("the name is in the certificate");
    let config_server =
        server(Arc::new(resolver), Some(issuer.der()), ALPN_H2).expect("a configuration");
    let (near, far) = duplex(1 << 16);
    let acceptor = TlsAcceptor::from(Arc::new(config_server));
    let serving = tokio::spawn(async move {
        let mut stream = acceptor.accept(far).await.map_err(|e| e.to_string())?;
        stream.write_all(b"x").await.map_err(|e| e.to_string())
    });
    let name = "localhost".try_into().expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, near)
        .await
        .map_err(|error| error.to_string())?;
    let mut byte = [0];
    stream
        .read_exact(&mut byte)
        .await
        .map_err(|error| error.to_string())?;
    serving.await.expect("the server ends")
}

#[tokio::test]
async fn a_pinned_client_takes_only_that_authority() {
    let (right, wrong) = (authority(), authority());
    let pinned = || client_pinned(Fingerprint::of(right.der()), ALPN_H2).expect("a configuration");
    handshake(&right, pinned())
        .await
        .expect("the pinned CA is taken");
    let refused = handshake(&wrong, pinned())
        .await
        .expect_err("another CA is refused");
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_refused() {
    let (right, wrong) = (authority(), authority());
    let uri = || {
        vec![SanType::URI(
            host_uri(Uuid::nil()).try_into().expect("a URI"),
        )]
    };
    let ca = right.pem();
    let attempt = |(certificate, key): (Certificate, KeyPair)| {
        let pem = certificate.pem();
        client(
            ca.as_bytes(),
            Some((pem.as_bytes(), key.serialize_pem().as_bytes())),
            ALPN_H2,
        )
        .expect("a configuration")
    };
    handshake(&right, attempt(leaf(&right, uri())))
        .await
        .expect("its own host is taken");
    let refused = handshake(&right, attempt(leaf(&wrong, uri()))).await;
    assert!(refused.is_err(), "a foreign host is refused");
}

#[test]
fn a_host_is_read_from_its_certificate() {
    let issuer = authority();
    let id = Uuid::new_v4();
    let (certificate, _) = leaf(
        &issuer,
        vec![SanType::URI(host_uri(id).try_into().expect("a URI"))],
    );
    assert_eq!(
        HostCertificate::read(certificate.der())
            .expect("a host")
            .host_id,
        id
    );

    let name = || SanType::DnsName("host".try_into().expect("a name"));
    let uri = |text: &str| SanType::URI(text.try_into().expect("a URI"));
    for names in [
        vec![],
        vec![name()],
        vec![uri("tyr:host:1")],
        vec![uri("tyr:hosts:00000000-0000-0000-0000-000000000000")],
        vec![uri(&host_uri(id)), uri(&host_uri(Uuid::nil()))],
    ] {
        let (certificate, _) = leaf(&issuer, names.clone());
        assert!(
            HostCertificate::read(certificate.der()).is_err(),
            "{names:?} names no host"
        );
    }
}

#[test]
fn fingerprints_are_64_hex_digits() {
    let text = "ab".repeat(32);
    assert_eq!(Fingerprint::from_hex(&text).expect("hex").to_hex(), text);
    for wrong in ["", "ab", &"zz".repeat(32), &"ab".repeat(33)] {
        assert!(
            Fingerprint::from_hex(wrong).is_err(),
            "{wrong} is no fingerprint"
        );
    }
}
