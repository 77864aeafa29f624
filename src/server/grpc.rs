//! gRPC for hosts. Every call but `Enroll` needs a certificate of a host that is not revoked.

mod enrollment;
mod event;
mod host;
mod identity;
mod policy;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Server;

use super::listen::{Connection, accept, stopped};
use super::{ServerError, State};
use crate::exit::chain;
use crate::tls::{self, ALPN_H2};
use crate::wire::proto::enrollment_service_server::EnrollmentServiceServer;
use crate::wire::proto::event_service_server::EventServiceServer;
use crate::wire::proto::host_service_server::HostServiceServer;
use crate::wire::proto::policy_service_server::PolicyServiceServer;

/// A host keeps one connection; this is for 10,000 hosts on a server.
const CONNECTIONS_MAX: usize = 12_000;
const ACCEPTED_WAITING_MAX: usize = 64;
const STREAMS_PER_CONNECTION_MAX: u32 = 32;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(15);
const REQUEST_BYTES_MAX: usize = 64 * 1024;
const HEARTBEAT_BYTES_MAX: usize = 1024 * 1024;
/// 4 MiB of records, and what surrounds 10,000 of them.
const BATCH_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Serves hosts until the server stops.
///
/// # Errors
///
/// TLS cannot be set up.
pub fn start(state: &Arc<State>, listener: TcpListener) -> Result<JoinHandle<()>, ServerError> {
    let ca = state.authority.certificate();
    let config = tls::server(Arc::clone(&state.certificate) as _, Some(ca), ALPN_H2)?;
    let (accepted, incoming) = mpsc::channel::<io::Result<Connection>>(ACCEPTED_WAITING_MAX);
    tokio::spawn(accept(
        listener,
        TlsAcceptor::from(Arc::new(config)),
        CONNECTIONS_MAX,
        state.stop.clone(),
        move |connection, _| {
            let accepted = accepted.clone();
            async move {
                // It fails only when the server has stopped.
                let _ = accepted.send(Ok(connection)).await;
            }
        },
    ));
    let service = || Service {
        state: Arc::clone(state),
    };
    let router = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(
            EnrollmentServiceServer::new(service()).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(EventServiceServer::new(service()).max_decoding_message_size(BATCH_BYTES_MAX))
        .add_service(
            HostServiceServer::new(service()).max_decoding_message_size(HEARTBEAT_BYTES_MAX),
        )
        .add_service(
            PolicyServiceServer::new(service()).max_decoding_message_size(REQUEST_BYTES_MAX),
        );
    let stop = state.stop.clone();
    Ok(tokio::spawn(async move {
        let incoming = ReceiverStream::new(incoming);
        if let Err(error) = router
            .serve_with_incoming_shutdown(incoming, stopped(stop))
            .await
        {
            tracing::error!(error = %chain(&error), "the gRPC server ended");
        }
    }))
}

/// The state of the server, with a service of each kind on it.
#[derive(Clone)]
struct Service {
    state: Arc<State>,
}

/// A failure that is not the caller's: its cause goes to the log, not over the wire.
fn internal(error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error = %chain(error), "a gRPC call failed");
    Status::unavailable("the server cannot do this now; try again")
}
