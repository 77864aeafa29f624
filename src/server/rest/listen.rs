//! HTTP on TLS connections, around warp's routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::codegen::Service;
use warp::Reply;
use warp::http::{Request, StatusCode};
use warp::reply::Response;

use super::auth::Caller;
use super::error::Failure;
use super::routes;
use crate::server::listen::{Connection, accept, stopped};
use crate::server::{ServerError, State};
use crate::tls::{self, ALPN_HTTP1};

const CONNECTIONS_MAX: usize = 1_024;
/// A connection that sends nothing is closed after this.
const HEADERS_MAX: Duration = Duration::from_secs(30);
const BODY_MAX: Duration = Duration::from_secs(60);
const HEAD_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A policy file may be too long for the policy library, which then says so as for any other.
const POLICY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of a body that is too long is read all the same.
const DISCARD_BYTES_MAX: usize = 2 * POLICY_BYTES_MAX;
const POLICY_PATH: &str = "/api/v1/policies";

/// Serves people until the server stops; the task ends when every connection has.
///
/// # Errors
///
/// TLS cannot be set up.
pub fn start(state: &Arc<State>, listener: TcpListener) -> Result<JoinHandle<()>, ServerError> {
    let config = tls::server(Arc::clone(&state.certificate) as _, None, ALPN_HTTP1)?;
    let service = warp::service(routes(state));
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    let (stop, state) = (state.stop.clone(), Arc::clone(state));
    let serve = move |connection: Connection, address: SocketAddr| {
        let (state, service, open) = (Arc::clone(&state), service.clone(), open.clone());
        async move {
            serve(&state, service, connection, address).await;
            drop(open);
        }
    };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Ok(tokio::spawn(async move {
        accept(listener, acceptor, CONNECTIONS_MAX, stop, serve).await;
        // Nothing is ever sent: this returns when the last connection has dropped its sender.
        let _ = all_closed.recv().await;
    }))
}

async fn serve<S>(state: &Arc<State>, service: S, connection: Connection, address: SocketAddr)
where
    S: Service<Request<Full<Bytes>>, Response = Response, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let answering = service_fn(|request| {
        let (state, service) = (Arc::clone(state), service.clone());
        async move {
            let response = match prepare(&state, request, address).await {
                Ok(request) => call(service, request).await?,
                Err(failure) => failure.into_response(),
            };
            state.metrics.answered(response.status().as_u16());
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let mut http = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), answering));
    // How a connection ends is the client's affair.
    tokio::select! {
        _ = &mut http => {}
        () = stopped(state.stop.clone()) => {
            http.as_mut().graceful_shutdown();
            let _ = http.await;
        }
    }
}

async fn call<S>(mut service: S, request: Request<Full<Bytes>>) -> Result<Response, Infallible>
where
    S: Service<Request<Full<Bytes>>, Response = Response, Error = Infallible>,
{
    std::future::poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}

/// Finds out who asks before anything of the body is read, then reads no more than is allowed.
async fn prepare(
    state: &State,
    request: Request<Incoming>,
    address: SocketAddr,
) -> Result<Request<Full<Bytes>>, Failure> {
    let (mut head, body) = request.into_parts();
    let caller = Caller::of(state, &head.headers, address).await?;
    let is_policy = head.uri.path().trim_end_matches('/') == POLICY_PATH;
    let most = if is_policy && caller.is_known() {
        POLICY_BYTES_MAX
    } else {
        BODY_BYTES_MAX
    };
    let reading = tokio::time::timeout(BODY_MAX, read(body, most)).await;
    let body = reading.map_err(|_| {
        let detail = "the body did not come in time";
        Failure::new(StatusCode::REQUEST_TIMEOUT, detail)
    })??;
    head.extensions.insert(caller);
    Ok(Request::from_parts(head, Full::new(body)))
}

/// Reads a body of at most `most` bytes. A longer one is read on for a while and thrown away: a
/// client that is still sending would take a closed connection for a fault and miss the answer.
async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Failure> {
    let mut kept = Vec::new();
    let mut length = 0;
    while length <= DISCARD_BYTES_MAX
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|_| Failure::bad_request("the body cannot be read"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length <= most {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
    }
    if length > most {
        let detail = format!("the body is too long: the most is {most} bytes");
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(Bytes::from(kept))
}
