//! The daemon: finds agents on this host, keeps their policy in the kernel, and sends what they
//! did to the server.
//!
//! Up: `kernel` → `engine` (`processes`, `judge`, `fold`) → `outbox` → `spool` → `export`.
//! Down: `watch` → `sync` (`policies`) → `kernel`.

pub mod config;
pub mod kernel;
pub mod state;
pub mod identity;
pub mod enroll;
pub mod link;

pub mod procfs;
pub mod container;
pub mod users;
pub mod redact;
pub mod processes;
pub mod discover;
pub mod sessions;
pub mod roster;

pub mod judge;
pub mod fold;
pub mod engine;
pub mod outbox;
pub mod spool;
pub mod export;

pub mod policies;
pub mod sync;
pub mod watch;

pub mod heartbeat;
pub mod metrics;
pub mod notify;

pub mod run;
pub mod role;
