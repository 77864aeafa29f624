//! Plain values that every part of Tyr speaks: no I/O, no SQL, no kernel.

pub mod action;
pub mod event;
pub mod resource;
pub mod verdict;
