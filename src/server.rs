//! `tyr server`: keeps policies, hosts and the audit.

pub mod authority;
pub mod db;
pub mod postgres;
