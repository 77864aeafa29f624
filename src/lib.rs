//! Tyr governs AI agents on Linux hosts: it finds them, decides what they may touch in the
//! kernel, and keeps the audit of it on a server.
//!
//! Modules stand in the order in which they depend on one another; ARCHITECTURE.md has the map.

pub mod model;
pub mod yaml;

pub mod policy;

pub mod kernel;

pub mod install;

pub mod tls;
pub mod wire;

pub mod exit;
pub mod log;
pub mod process;
pub mod version;

pub mod server;

pub mod daemon;

pub mod cli;

pub mod applet;
