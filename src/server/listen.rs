//! Accepting TLS connections: bounded in number, and a slow handshake keeps no one else waiting.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future::Future, io};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// After a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Becomes true when the server shall stop.
pub type Stop = watch::Receiver<bool>;

/// Returns when the server shall stop.
pub async fn stopped(mut stop: Stop) {
    // An error means that whoever could say so is gone, which is an end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One connection, counted as long as it lives.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    _permit: OwnedSemaphorePermit,
}

/// Accepts until the server stops and hands every connection that shook hands to `serve`.
pub async fn accept<F, S>(
    listener: TcpListener,
    tls: TlsAcceptor,
    connections_max: usize,
    stop: Stop,
    serve: F,
) where
    F: Fn(Connection, SocketAddr) -> S + Clone + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(connections_max));
    let mut stopping = std::pin::pin!(stopped(stop));
    loop {
        let accepted = tokio::select! {
            () = &mut stopping => return,
            accepted = next(&listener, &permits) => accepted,
        };
        let Some((stream, address, permit)) = accepted else {
            continue;
        };
        let (tls, serve) = (tls.clone(), serve.clone());
        tokio::spawn(async move {
            // A client that does not speak TLS, or refuses our certificate, is no news.
            let handshake = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                serve(
                    Connection {
                        stream,
                        _permit: permit,
                    },
                    address,
                )
                .await;
            }
        });
    }
}

async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // Connections over the bound wait in the kernel's queue.
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            // Only latency is at stake.
            let _ = stream.set_nodelay(true);
            Some((stream, address, permit))
        }
        Err(error) => {
            tracing::warn!(error = %error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = <TlsStream<TcpStream> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
