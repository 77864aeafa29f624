//! `tyr server`: keeps policies, hosts and the audit.

pub mod db;
