//! What the long-running roles say about themselves: structured lines on standard error.

use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person or journald.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `filter` is that of tracing (`info`, `tyr::daemon=debug`); a filter that
/// cannot be read falls back to `info`. Only the first call of a process counts.
pub fn start(format: Format, filter: &str) {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        // Another subscriber, a test's, may be there already: then its choice holds.
        let _ = match format {
            Format::Text => builder.with_ansi(false).try_init(),
            Format::Json => builder.json().flatten_event(true).try_init(),
        };
    });
}
