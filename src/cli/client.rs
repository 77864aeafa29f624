//! REST calls to the server, over TLS that leads to the CA `tyr login` kept.

mod address;
mod query;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, Failure};
use crate::tls::{self, Connector};
use crate::wire::rest::Refusal;

use super::credentials::Credentials;

pub use address::Address;
pub use query::{path_segment, query_string};

/// Longest answer that is not a stream.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A way to one server.
pub struct Client {
    address: Address,
    token: String,
    config: ClientConfig,
}

impl Client {
    /// # Errors
    ///
    /// The server's address or the CA kept for it is not valid.
    pub fn new(credentials: &Credentials) -> Result<Client, Failure> {
        let config =
            tls::client(credentials.ca_pem.as_bytes(), None, tls::ALPN_HTTP1).map_err(|error| {
                Failure::caused(Exit::Config, "cannot use the CA of the server", &error)
                    .help("run `tyr login SERVER` again")
            })?;
        let address = Address::parse(&credentials.server)?;
        Ok(Client {
            address,
            token: credentials.token.clone(),
            config,
        })
    }

    /// GET of a path below `/api/v1/`.
    ///
    /// # Errors
    ///
    /// The server is not reached or refuses.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(String, String)],
    ) -> Result<T, Failure> {
        let target = format!("{path}{}", query_string(pairs));
        decode(&self.send(Method::GET, &target, "", Bytes::new()).await?)
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    ///
    /// As for [`Client::get`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Failure::caused(Exit::Software, "cannot encode the request", &error)
        })?;
        decode(
            &self
                .send(Method::POST, path, "application/json", body.into())
                .await?,
        )
    }

    /// POST of a YAML document.
    ///
    /// # Errors
    ///
    /// As for [`Client::get`]; the problems of a refused policy are in the message.
    pub async fn post_yaml<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(String, String)],
        yaml: String,
    ) -> Result<T, Failure> {
        let target = format!("{path}{}", query_string(pairs));
        decode(
            &self
                .send(Method::POST, &target, "application/yaml", yaml.into())
                .await?,
        )
    }

    /// DELETE of a path.
    ///
    /// # Errors
    ///
    /// As for [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, "", Bytes::new())
            .await
            .map(|_| ())
    }

    /// Opens a stream of server-sent events, beginning after `last_event_id` when it is given.
    ///
    /// # Errors
    ///
    /// The server is not reached or refuses.
    pub async fn stream(
        &self,
        path: &str,
        pairs: &[(String, String)],
        last_event_id: &str,
    ) -> Result<Response<Incoming>, Failure> {
        let target = format!("{path}{}", query_string(pairs));
        let mut request = self.request(Method::GET, &target, "", Bytes::new())?;
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            hyper::header::HeaderValue::from_static("text/event-stream"),
        );
        if let Ok(id) = last_event_id.parse()
            && !last_event_id.is_empty()
        {
            headers.insert("last-event-id", id);
        }
        let response = self.exchange(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        Err(refusal(status, &self.body(response).await?))
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let request = self.request(method, target, content_type, body)?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, async {
            let response = self.exchange(request).await?;
            let status = response.status();
            Ok((status, self.body(response).await?))
        });
        let (status, body) = answer.await.unwrap_or_else(|_| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            Err(Failure::new(
                Exit::Unavailable,
                format!("{} did not answer within {seconds} s", self.address),
            ))
        })?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(refusal(status, &body))
        }
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{target}"))
            .header(HOST, self.address.authority())
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(ACCEPT, "application/json, application/problem+json");
        if !content_type.is_empty() {
            builder = builder.header(CONTENT_TYPE, content_type);
        }
        builder.body(Full::new(body)).map_err(|_| {
            Failure::new(
                Exit::Usage,
                "the token or an argument holds bytes that HTTP does not allow",
            )
            .help("run `tyr login SERVER` again with the token as it was printed")
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let unreachable = |error: &dyn std::error::Error| unreachable(&self.address, error);
        let connector = Connector::new(&self.address.authority(), self.config.clone())
            .map_err(|error| unreachable(&error))?;
        let stream = connector
            .connect()
            .await
            .map_err(|error| unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        sender
            .send_request(request)
            .await
            .map_err(|error| unreachable(&error))
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let collected = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        collected
            .map(|body| body.to_bytes())
            .map_err(|error| unreachable(&self.address, error.as_ref()))
    }
}

/// The server is not reached, said so that its cause is clear.
pub fn unreachable(address: &Address, error: &dyn std::error::Error) -> Failure {
    let failure = Failure::caused(Exit::Unavailable, format!("cannot reach {address}"), error);
    if failure.message.contains("certificate") {
        let exit = Exit::NoPermission;
        return Failure { exit, ..failure }.help(
            "the server's certificate does not lead to the CA kept for it, or names another host; \
             if its CA was made anew, run `tyr login SERVER` again",
        );
    }
    failure.help("check the address and that `tyr server` runs there")
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::caused(Exit::Protocol, "cannot read the server's answer", &error)
            .help("the server may be of another version; compare `tyr version` on both sides")
    })
}

/// What a refusal means to the person at the command line.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let exit = match status.as_u16() {
        400 | 409 | 413 | 415 | 422 => Exit::Data,
        401 | 403 => Exit::NoPermission,
        404 => Exit::NoName,
        500..=599 => Exit::Unavailable,
        _ => Exit::Protocol,
    };
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return Failure::new(exit, format!("the server answered {status}"));
    };
    let mut message = if refusal.detail.is_empty() {
        refusal.title
    } else {
        refusal.detail
    };
    for problem in &refusal.problems {
        message.push_str(&format!("\n{problem}"));
    }
    let failure = Failure::new(exit, super::output::plain_lines(&message));
    match status.as_u16() {
        401 => failure.help("run `tyr login SERVER` with a token that is still valid"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
