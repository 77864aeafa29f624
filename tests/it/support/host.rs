//! A host: what a daemon does on the wire.

use rcgen::{CertificateParams, KeyPair};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use tyr::model::action::Action;
use tyr::model::event::{AgentRef, Ancestor, Body, Event, Operation, Process};
use tyr::model::verdict::{Severity, Verdict};
use tyr::tls::{self, ALPN_H2, Fingerprint};
use tyr::wire::convert::encode_event;
use tyr::wire::proto::enrollment_service_client::EnrollmentServiceClient;
use tyr::wire::proto::event_service_client::EventServiceClient;
use tyr::wire::proto::host_service_client::HostServiceClient;
use tyr::wire::proto::policy_service_client::PolicyServiceClient;
use tyr::wire::proto::{
    EnrollRequest, EnrollResponse, ExportRequest, ExportResponse, PolicySet, Record, WatchRequest,
};
use uuid::Uuid;

use super::server::TestServer;

pub(crate) struct Host {
    pub id: Uuid,
    pub certificate_pem: String,
    pub key_pem: String,
    pub ca_pem: String,
}

/// A key and a signing request for it.
pub(crate) fn signing_request() -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate().expect("a key");
    let request = CertificateParams::default()
        .serialize_request(&key)
        .expect("a request");
    let der = request.der().to_vec();
    (key, der)
}

/// A connection without a client certificate, with the CA pinned as the token says.
pub(crate) fn stranger(address: &str, token: &str) -> Channel {
    let fingerprint = token.rsplit_once('.').expect("a token").1;
    let ca = Fingerprint::from_hex(fingerprint).expect("a fingerprint");
    tls::channel(address, tls::client_pinned(ca, ALPN_H2).expect("TLS")).expect("an address")
}

/// Asks to enrol.
pub(crate) async fn ask(
    server: &TestServer,
    token: &str,
    csr_der: Vec<u8>,
    hostname: &str,
) -> Result<EnrollResponse, Status> {
    let request = EnrollRequest {
        token: token.to_owned(),
        csr_der,
        hostname: hostname.to_owned(),
        machine_id: format!("machine of {hostname}"),
        labels: [("env".to_owned(), "test".to_owned())].into(),
    };
    let mut client = EnrollmentServiceClient::new(stranger(&server.grpc(), token));
    Ok(client.enroll(request).await?.into_inner())
}

impl Host {
    pub(crate) async fn enroll(
        server: &TestServer,
        token: &str,
        name: &str,
    ) -> Result<Host, Status> {
        let (key, csr_der) = signing_request();
        let answer = ask(server, token, csr_der, name).await?;
        Ok(Host {
            id: answer.host_id.parse().expect("a UUID"),
            certificate_pem: answer.certificate_pem,
            key_pem: key.serialize_pem(),
            ca_pem: answer.ca_pem,
        })
    }

    pub(crate) fn channel(&self, server: &TestServer) -> Channel {
        self.channel_to(&server.grpc())
    }

    fn channel_to(&self, address: &str) -> Channel {
        let identity = (self.certificate_pem.as_bytes(), self.key_pem.as_bytes());
        let config = tls::client(self.ca_pem.as_bytes(), Some(identity), ALPN_H2).expect("TLS");
        tls::channel(address, config).expect("an address")
    }

    pub(crate) fn health(&self, server: &TestServer) -> HostServiceClient<Channel> {
        HostServiceClient::new(self.channel(server))
    }

    pub(crate) fn enrollment(&self, server: &TestServer) -> EnrollmentServiceClient<Channel> {
        EnrollmentServiceClient::new(self.channel(server))
    }

    pub(crate) async fn watch(&self, server: &TestServer) -> Result<Streaming<PolicySet>, Status> {
        let mut client = PolicyServiceClient::new(self.channel(server));
        Ok(client
            .watch(WatchRequest { revision: 0 })
            .await?
            .into_inner())
    }

    pub(crate) async fn export(&self, server: &TestServer) -> Result<Exporter, Status> {
        self.export_to(&server.grpc()).await
    }

    pub(crate) async fn export_to(&self, address: &str) -> Result<Exporter, Status> {
        let (batches, receiver) = mpsc::channel(4);
        let mut client = EventServiceClient::new(self.channel_to(address));
        let answers = client
            .export(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        Ok(Exporter { batches, answers })
    }
}

/// An open export.
pub(crate) struct Exporter {
    batches: mpsc::Sender<ExportRequest>,
    answers: Streaming<ExportResponse>,
}

impl Exporter {
    /// Sends one batch and waits for its acknowledgement.
    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<u64, Status> {
        let batch = ExportRequest {
            records: records.to_vec(),
        };
        // When the stream has ended, the answer says why.
        let _ = self.batches.send(batch).await;
        match self.answers.message().await? {
            Some(answer) => Ok(answer.acknowledged),
            None => panic!("the server ended the stream without a status"),
        }
    }
}

/// Makes records as a spool does.
#[derive(Clone, Default)]
pub(crate) struct Spool {
    pub sequence: u64,
    pub chain: [u8; 32],
}

impl Spool {
    pub(crate) fn record(&mut self, event: &Event) -> Record {
        self.raw(encode_event(event))
    }

    pub(crate) fn raw(&mut self, event: Vec<u8>) -> Record {
        self.sequence += 1;
        let mut hash = Sha256::new();
        hash.update(self.chain);
        hash.update(self.sequence.to_be_bytes());
        hash.update(&event);
        self.chain = hash.finalize().into();
        Record {
            sequence: self.sequence,
            event,
            chain: self.chain.to_vec(),
        }
    }

    pub(crate) fn records(&mut self, count: usize) -> Vec<Record> {
        (0..count)
            .map(|_| {
                let path = format!("/tmp/file-{}", self.sequence + 1);
                self.record(&operation(Action::FileRead, Verdict::Allow, &path))
            })
            .collect()
    }
}

/// An operation of one Claude Code session.
pub(crate) fn operation(action: Action, verdict: Verdict, resource: &str) -> Event {
    let denied = verdict == Verdict::Deny;
    event(Body::Operation(Operation {
        action,
        resource: resource.to_owned(),
        verdict,
        enforced: denied,
        severity: if denied {
            Severity::Critical
        } else {
            Severity::Low
        },
        policy: denied.then(|| "strict".to_owned()),
        policy_version: denied.then_some(3),
        rule: denied.then(|| "deny-it".to_owned()),
        reason: String::new(),
        count: 2,
    }))
}

pub(crate) fn event(body: Body) -> Event {
    Event {
        time_ns: i64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("this century"),
        boot_ns: 5,
        process: Process {
            pid: 4_000,
            parent_pid: 3_999,
            start_boot_ns: 1,
            uid: 4_294_967_294,
            user: "ada".to_owned(),
            exe: "/usr/bin/cat".to_owned(),
            comm: "cat".to_owned(),
            args: vec!["cat".to_owned(), "nul \0 byte".to_owned()],
            container: String::new(),
            lineage: vec![Ancestor {
                pid: 3_999,
                exe: "/usr/bin/claude".to_owned(),
            }],
        },
        agent: Some(AgentRef {
            id: "session-1".to_owned(),
            agent_type: "claude-code".to_owned(),
        }),
        body,
    }
}
