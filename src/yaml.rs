//! The only file that names the YAML crate, so that it can be changed in one place.
//!
//! Settings and signatures are read through it. Policies are not: they need the place of every
//! value, which this crate does not give, and are read by `policy::parse`.

pub use serde_yml::{Mapping, Value, from_str, from_value};
