//! Which Tyr this is.

/// The version that a release is built as (`TYR_VERSION` while it is compiled), or that of the
/// crate.
pub const VERSION: &str = match option_env!("TYR_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
