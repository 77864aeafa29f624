//! Policies: from YAML text to what the kernel holds.
//!
//! Everything here is pure: bytes and values in, values out. `evaluate` is the reference; tables,
//! explanations, dry runs and the server's checks all ask it.

pub mod condition;
pub mod evaluate;
pub mod fact;
pub mod moment;
mod nearest;
pub mod network;
pub mod pattern;
pub mod principal;
pub mod problem;
pub mod rule;
pub mod sni;
