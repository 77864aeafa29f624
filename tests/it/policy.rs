//! Policies as files: what is refused and where, and what the ones that are shipped mean.

pub(crate) mod malformed;
mod suite;
