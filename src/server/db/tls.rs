//! TLS to a PostgreSQL that is not private. Its certificate is always checked.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Config, Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::DbError;

/// Debian's and most distributions' list of public CAs.
const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct MakeTls {
    connector: Option<TlsConnector>,
}

impl MakeTls {
    /// Trusts the CAs of `file`, or the system's.
    pub(super) fn new(file: Option<&Path>) -> Result<MakeTls, DbError> {
        let path = file.map_or_else(|| PathBuf::from(SYSTEM_CAS), Path::to_owned);
        let pem = match std::fs::read(&path) {
            Ok(pem) => pem,
            Err(_) if file.is_none() => return Ok(MakeTls { connector: None }),
            Err(source) => return Err(DbError::Read { path, source }),
        };
        let config = crate::tls::client(&pem, None, b"postgresql")
            .map_err(|source| DbError::CaFile { path, source })?;
        Ok(MakeTls {
            connector: Some(TlsConnector::from(Arc::new(config))),
        })
    }
}

/// Settles what `sslmode=prefer`, the default of a URL, means: TLS that is checked, or clear text to
/// this machine itself. Never clear text over a network because someone on it said so.
pub(super) fn settle_mode(settings: &mut Config, ca_given: bool) {
    if settings.get_ssl_mode() != SslMode::Prefer {
        return;
    }
    let local = settings.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    });
    let mode = if ca_given || !local {
        SslMode::Require
    } else {
        SslMode::Disable
    };
    settings.ssl_mode(mode);
}

impl<S> MakeTlsConnect<S> for MakeTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        Ok(Connect {
            connector: self.connector.clone(),
            domain: domain.to_owned(),
        })
    }
}

/// One handshake to come.
pub(super) struct Connect {
    connector: Option<TlsConnector>,
    domain: String,
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = self.connector.ok_or_else(|| {
                io::Error::other("no CA is known to check PostgreSQL's certificate")
            })?;
            let name = ServerName::try_from(self.domain).map_err(io::Error::other)?;
            Ok(Stream(connector.connect(name, stream).await?))
        })
    }
}

/// An encrypted connection.
pub struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
