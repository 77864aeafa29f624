//! The kernel edge: loads the programs, gives them policy images, reads their records.
//!
//! The only module with `unsafe`: each use says why it is sound. Nothing here knows networks,
//! SQL or the spool.

#![allow(
    unsafe_code,
    reason = "maps are bytes to the kernel, and a few facts need system calls"
)]

pub mod abi;
mod attach;
pub mod build;
pub mod canary;
pub mod counters;
pub mod decide;
pub mod doctor;
pub mod error;
pub mod features;
pub mod harden;
pub mod host;
pub mod image;
pub mod install;
pub mod links;
pub mod load;
pub mod memory;
pub mod mounts;
pub mod names;
pub mod object;
pub mod own;
pub mod pins;
pub mod record;
mod release;
mod report;
pub mod ringbuf;
pub mod selftest;
pub mod sessions;
pub mod skel;
pub mod tagging;
mod takeover;
