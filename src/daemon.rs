//! The daemon: finds agents on this host, keeps their policy in the kernel, and sends what they
//! did to the server.
//!
//! Up: `kernel` → `engine` (`processes`, `judge`, `fold`) → `outbox` → `spool` → `export`.
//! Down: `watch` → `sync` (`policies`) → `kernel`.

pub mod break_glass;
pub mod compiler;
pub mod config;
pub mod enroll;
pub mod identity;
pub mod kernel;
pub mod link;
pub mod state;

pub mod container;
pub mod discover;
pub mod processes;
pub mod procfs;
pub mod redact;
pub mod roster;
pub mod sessions;
pub mod users;

pub mod engine;
pub mod export;
pub mod fold;
pub mod judge;
pub mod mark;
pub mod outbox;
pub mod spool;

pub mod history;
pub mod policies;
pub mod protect;
pub mod sync;
pub mod watch;

pub mod heartbeat;
pub mod metrics;
pub mod notify;

pub mod release;
pub mod role;
pub mod run;
