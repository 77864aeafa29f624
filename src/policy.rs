//! Policies: from YAML text to what the kernel holds.
//!
//! Everything here is pure: bytes and values in, values out. `evaluate` is the reference; tables,
//! explanations, dry runs and the server's checks all ask it.

pub mod network;
pub mod pattern;
pub mod problem;
pub mod rule;
pub mod sni;
