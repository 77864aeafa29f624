use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tonic::Code;
use tyr::tls::{self, ALPN_H2, HostCertificate, host_uri};
use tyr::wire::proto::enrollment_service_client::EnrollmentServiceClient;
use tyr::wire::proto::event_service_client::EventServiceClient;
use tyr::wire::proto::host_service_client::HostServiceClient;
use tyr::wire::proto::policy_service_client::PolicyServiceClient;
use tyr::wire::proto::{ExportRequest, HeartbeatRequest, RenewRequest, WatchRequest};
use tyr::wire::rest::{
    EnrollmentTokenList, EnrollmentTokenRequest, EnrollmentTokenSecret, HostList, TokenState,
};

use crate::support::host::{Host, Spool, ask, signing_request, stranger};
use crate::support::server::TestServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_redeems_of_a_one_use_token_one_wins() {
    let server = TestServer::start().await;
    let token = server.token(&EnrollmentTokenRequest::default()).await;
    let attempts = (0..50).map(|number| {
        let (_, csr) = signing_request();
        let (server, token) = (&server, &token);
        async move { ask(server, token, csr, &format!("host-{number}")).await }
    });
    let outcomes = futures_util::future::join_all(attempts).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    }
    let hosts: HostList = server.admin.get("hosts").await;
    assert_eq!(hosts.hosts.len(), 1);
    let tokens: EnrollmentTokenList = server.admin.get("enrollment-tokens").await;
    assert_eq!(
        (tokens.tokens[0].uses, tokens.tokens[0].state),
        (1, TokenState::UsedUp)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_valid_makes_no_host() {
    let server = TestServer::start().await;
    let refusal = async |token: &str| {
        let (_, csr) = signing_request();
        ask(&server, token, csr, "host")
            .await
            .map(|_| ())
            .expect_err("refused")
            .code()
    };
    let used = server.token(&EnrollmentTokenRequest::default()).await;
    Host::enroll(&server, &used, "first")
        .await
        .expect("the first use");
    assert_eq!(refusal(&used).await, Code::Unauthenticated, "replayed");

    let short = EnrollmentTokenRequest {
        expires_in_s: Some(1),
        ..Default::default()
    };
    let expired = server.token(&short).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(refusal(&expired).await, Code::Unauthenticated, "expired");

    let made: EnrollmentTokenSecret = server
        .admin
        .post("enrollment-tokens", &EnrollmentTokenRequest::default())
        .await;
    let gone = server
        .admin
        .delete(&format!("enrollment-tokens/{}", made.about.id))
        .await;
    assert_eq!(gone.status.as_u16(), 204);
    assert_eq!(refusal(&made.token).await, Code::Unauthenticated, "revoked");

    let fingerprint = made.token.rsplit_once('.').expect("a token").1;
    let unknown = format!("tyr_et_{}.{fingerprint}", "0".repeat(40));
    assert_eq!(refusal(&unknown).await, Code::Unauthenticated, "unknown");
    let hosts: HostList = server.admin.get("hosts").await;
    assert_eq!(hosts.hosts.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_costs_the_token_no_use() {
    let server = TestServer::start().await;
    let token = server.token(&EnrollmentTokenRequest::default()).await;
    let (_, mut forged) = signing_request();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let cases = [
        (b"not a request".to_vec(), "host"),
        (forged, "host"),
        (vec![0; 20_000], "host"),
        (signing_request().1, ""),
        (signing_request().1, "line\nbreak"),
    ];
    for (csr, name) in cases {
        let refused = ask(&server, &token, csr, name).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    Host::enroll(&server, &token, "host")
        .await
        .expect("the token still has its use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_call_needs_a_certificate_of_a_host() {
    let server = TestServer::start().await;
    let token = server.token(&EnrollmentTokenRequest::default()).await;
    let channel = stranger(&server.grpc(), &token);
    let renewed = EnrollmentServiceClient::new(channel.clone())
        .renew(RenewRequest {
            csr_der: signing_request().1,
        })
        .await
        .map(|_| ());
    let beaten = HostServiceClient::new(channel.clone())
        .heartbeat(HeartbeatRequest::default())
        .await
        .map(|_| ());
    let watched = PolicyServiceClient::new(channel.clone())
        .watch(WatchRequest { revision: 0 })
        .await
        .map(|_| ());
    let exported = EventServiceClient::new(channel)
        .export(tokio_stream::iter([ExportRequest::default()]))
        .await
        .map(|_| ());
    for refused in [renewed, beaten, watched, exported] {
        assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_gets_no_connection() {
    let server = TestServer::start().await;
    let host = server.host("honest").await;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(params, KeyPair::generate().expect("a key"));
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    let uri = host_uri(host.id).as_str().try_into().expect("a URI");
    params.subject_alt_names = vec![SanType::URI(uri)];
    let forged = params.signed_by(&key, &issuer).expect("a certificate");
    let impostor = Host {
        certificate_pem: forged.pem(),
        key_pem: key.serialize_pem(),
        ..host
    };
    let refused = impostor
        .health(&server)
        .heartbeat(HeartbeatRequest::default())
        .await;
    assert!(refused.is_err(), "an impostor gets nowhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_renews_its_certificate_and_stays_itself() {
    let server = TestServer::start().await;
    let mut host = server.host("renewing").await;
    let (key, csr_der) = signing_request();
    let renewed = host
        .enrollment(&server)
        .renew(RenewRequest { csr_der })
        .await;
    let renewed = renewed.expect("renewed").into_inner();
    assert_ne!(renewed.certificate_pem, host.certificate_pem);
    let chain = tls::certificates(renewed.certificate_pem.as_bytes()).expect("PEM");
    let identity = HostCertificate::read(&chain[0]).expect("a host");
    assert_eq!(identity.host_id, host.id);
    let lifetime = identity
        .not_after
        .duration_since(std::time::SystemTime::now());
    let hours = lifetime.expect("in the future").as_secs().div_ceil(3_600);
    assert_eq!(hours, 24, "certificates are short-lived");
    host.certificate_pem = renewed.certificate_pem;
    host.key_pem = key.serialize_pem();
    host.health(&server)
        .heartbeat(HeartbeatRequest::default())
        .await
        .expect("heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_host_is_refused_everywhere_at_once() {
    let server = TestServer::start().await;
    let host = server.host("lost-laptop").await;
    let mut sets = host.watch(&server).await.expect("watching");
    sets.message().await.expect("a set").expect("at once");
    let mut export = host.export(&server).await.expect("exporting");
    let mut spool = Spool::default();
    assert_eq!(export.send(&spool.records(1)).await.expect("kept"), 1);

    let answer = server.admin.try_post("hosts/lost-laptop/revoke", &()).await;
    assert!(answer.ok::<tyr::wire::rest::Host>().revoked_at.is_some());
    let ended = tokio::time::timeout(Duration::from_secs(20), sets.message()).await;
    let ended = ended
        .expect("the open stream ends")
        .expect_err("with a refusal");
    assert_eq!(ended.code(), Code::PermissionDenied);
    let refused = export.send(&spool.records(1)).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = host
        .health(&server)
        .heartbeat(HeartbeatRequest::default())
        .await;
    assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    let csr_der = signing_request().1;
    let refused = host
        .enrollment(&server)
        .renew(RenewRequest { csr_der })
        .await;
    assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    let refused = host.export(&server).await.map(|_| ()).expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_not_optional_and_the_config_is_alpn_h2() {
    let server = TestServer::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.running.grpc)
        .await
        .expect("TCP");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, preface)
        .await
        .expect("sent");
    let mut answer = Vec::new();
    // Whether the connection is reset or closed, no HTTP/2 frame comes back.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    assert!(
        answer.first().is_none_or(|&byte| byte == 0x15),
        "an alert at most: {answer:?}"
    );
    let ca = server.state().authority.pem();
    let config = tls::client(ca.as_bytes(), None, ALPN_H2).expect("TLS");
    let connector = tls::Connector::new(&server.grpc(), config).expect("an address");
    let stream = connector.connect().await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ALPN_H2));
}
