//! Policies: from YAML text to what the kernel holds.
//!
//! Everything here is pure: bytes and values in, values out. `evaluate` is the reference; tables,
//! explanations, dry runs and the server's checks all ask it.

pub mod rule;
pub mod problem;
pub mod pattern;
pub mod network;
pub mod sni;
pub mod condition;
pub mod fact;
pub mod moment;
pub mod principal;
pub mod evaluate;
mod nearest;
