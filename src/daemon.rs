//! The daemon: finds agents on this host, keeps their policy in the kernel, and sends what they
//! did to the server.

pub mod spool;
