//! What crosses a socket: gRPC messages between daemon and server, JSON between server and CLI.

pub mod convert;
pub mod rest;

/// Generated from `proto/tyr/v1`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod proto {
    tonic::include_proto!("tyr.v1");
}
