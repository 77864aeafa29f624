//! A client of the REST interface.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tyr::server::Running;
use tyr::tls::{self, ALPN_HTTP1, Connector};
use tyr::wire::rest::{EventRecord, PROBLEM_JSON, Refusal};

#[derive(Clone)]
pub(crate) struct Person {
    pub token: String,
    address: SocketAddr,
    ca_pem: String,
}

/// An answer that has been read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub kind: String,
    pub body: Bytes,
}

impl Answer {
    /// The body, if the answer is a success.
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        serde_json::from_slice(&self.body).expect("the body is what the contract says")
    }

    /// The refusal, if the answer is one of this status.
    pub(crate) fn refused(&self, status: u16) -> Refusal {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.kind, PROBLEM_JSON);
        let refusal: Refusal = serde_json::from_slice(&self.body).expect("a problem");
        assert_eq!(refusal.status, status);
        refusal
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Person {
    pub(crate) fn new(running: &Running, token: &str) -> Person {
        Person {
            token: token.to_owned(),
            address: running.rest,
            ca_pem: running.state.authority.pem().to_owned(),
        }
    }

    /// The same person with another token.
    pub(crate) fn with_token(&self, token: &str) -> Person {
        Person {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Response<Incoming> {
        let config = tls::client(self.ca_pem.as_bytes(), None, ALPN_HTTP1).expect("TLS");
        let connector = Connector::new(&self.address.to_string(), config).expect("an address");
        let stream = connector.connect().await.expect("a connection");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP");
        tokio::spawn(connection);
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/v1/{path}")
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        sender.send_request(request).await.expect("an answer")
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.send(method, path, &[], body.into()).await;
        let kind = response.headers().get("content-type");
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        Answer { status, kind, body }
    }

    pub(crate) async fn try_get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, "").await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.try_get(path).await.ok()
    }

    pub(crate) async fn try_post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.call(Method::POST, path, serde_json::to_vec(body).expect("JSON"))
            .await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        self.try_post(path, body).await.ok()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, "").await
    }

    /// Opens the live tail; `last` is sent as Last-Event-ID.
    pub(crate) async fn tail(&self, query: &str, last: Option<u64>) -> Tail {
        let last = last.map(|id| id.to_string());
        let headers: Vec<(&str, &str)> = last
            .iter()
            .map(|id| ("last-event-id", id.as_str()))
            .collect();
        let path = format!("events/stream{query}");
        let response = self.send(Method::GET, &path, &headers, Bytes::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Tail {
            body: response.into_body(),
            read: String::new(),
        }
    }
}

/// An open stream of events.
pub(crate) struct Tail {
    body: Incoming,
    read: String,
}

impl Tail {
    /// The next event; `None` when the server ends the stream.
    pub(crate) async fn next(&mut self) -> Option<EventRecord> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    message
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
                };
                let (id, data) = (field("id:"), field("data:"));
                self.read = rest.to_owned();
                // A comment keeps the connection open.
                let Some(data) = data else { continue };
                let event: EventRecord = serde_json::from_str(&data).expect("an event");
                assert_eq!(
                    id.as_deref().map(str::trim),
                    Some(event.id.to_string().as_str())
                );
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            let data = frame.into_data().ok()?;
            self.read
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
    }

    /// The next `count` events, in 20 s.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<EventRecord> {
        let reading = async {
            let mut events = Vec::new();
            while events.len() < count {
                events.push(self.next().await.expect("the stream goes on"));
            }
            events
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), reading)
            .await
            .expect("the events come")
    }
}
