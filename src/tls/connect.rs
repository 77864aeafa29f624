//! gRPC channels over a TLS configuration of our own, which tonic's settings cannot express.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::{Service, http::Uri};
use tonic::transport::{Channel, Endpoint};

use super::TlsError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens TLS connections to one server.
#[derive(Clone)]
pub struct Connector {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Connector {
    /// A connector to `address` (`HOST:PORT`, IPv6 in brackets) that checks the certificate
    /// against HOST.
    ///
    /// # Errors
    ///
    /// The address has no port or its host is not a name.
    pub fn new(address: &str, config: ClientConfig) -> Result<Connector, TlsError> {
        let wrong = || TlsError::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        port.parse::<u16>().map_err(|_| wrong())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
        Ok(Connector {
            address: address.to_owned(),
            name,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// One connection, within 10 s.
    ///
    /// # Errors
    ///
    /// The server is not reached in time, or one side refuses the other's certificate.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            self.tls.connect(self.name.clone(), stream).await
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await?
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

/// A gRPC channel to `address` that connects when it is first used, and again after a failure.
///
/// # Errors
///
/// The address is not `HOST:PORT`.
pub fn channel(address: &str, config: ClientConfig) -> Result<Channel, TlsError> {
    let connector = Connector::new(address, config)?;
    // The scheme only fills in `:scheme`; the connector does TLS itself.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| TlsError::Address(address.to_owned()))?
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_with_connector_lazy(connector))
}
