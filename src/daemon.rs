//! The daemon: finds agents on this host, keeps their policy in the kernel, and sends what they
//! did to the server.

pub mod config;
pub mod kernel;
pub mod state;
pub mod procfs;
pub mod container;
pub mod users;
pub mod redact;
pub mod processes;
pub mod spool;
pub mod notify;
