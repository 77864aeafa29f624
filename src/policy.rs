//! Policies: from YAML text to what the kernel holds.
//!
//! Everything here is pure: bytes and values in, values out. `evaluate` is the reference; tables,
//! explanations, dry runs and the server's checks all ask it.

pub mod problem;
pub mod rule;

mod agent_types;
pub mod condition;
pub mod document;
mod fields;
pub mod load;
mod nearest;
pub mod network;
pub mod parse;
pub mod pattern;
pub mod sni;
pub mod symlink;
mod tree;

pub mod compile;
pub mod evaluate;
pub mod fact;
pub mod moment;
pub mod principal;
pub mod signatures;

pub mod answer;
pub mod builtin;
pub mod check;
pub mod explain;
pub mod own;
pub mod question;
pub mod suite;
pub mod switch;

pub use load::{LoadOptions, Loaded, load};
pub use symlink::resolve_symlinks;
