//! What can go wrong at the kernel edge.

use std::io;
use std::path::PathBuf;

/// An operation on the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program is attached, so nothing can be enforced; the reason names what is missing.
    #[error("no kernel program is loaded: {0}; run `tyr doctor` for how to mend it")]
    Observing(String),
    #[error("kernel programs: {what}: {source}")]
    Bpf {
        what: String,
        source: libbpf_rs::Error,
    },
    /// One program or map of the object failed, and with it the whole.
    #[error("kernel programs: {what}: {part}: {reason}")]
    Part {
        what: String,
        part: String,
        reason: String,
    },
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{what}: {source}")]
    Io {
        what: &'static str,
        source: io::Error,
    },
    /// A map or program that the object must have is not there.
    #[error("the kernel object has no {0}; build tyr again")]
    Missing(String),
    /// What a map holds has another size than this build expects.
    #[error("map {map} holds {found} bytes where {expected} were expected; restart the daemon")]
    Layout {
        map: &'static str,
        found: usize,
        expected: usize,
    },
    /// The daemon is in a container from which it cannot govern the host.
    #[error("this container cannot govern its host: {0}")]
    Container(&'static str),
    #[error("scope {path}: {problem}")]
    Scope { path: PathBuf, problem: String },
    /// More processes to tag than fit one pass.
    #[error("{found} processes to tag, and one pass takes {limit}; tag them in parts")]
    TooMany { found: usize, limit: usize },
    #[error("processes kept forking faster than they could be tagged; stop them and try again")]
    Unstable,
    #[error(
        "{0} kernel programs are unpinned and still attached: end whatever else holds them, see `bpftool prog`"
    )]
    StillAttached(usize),
    /// The image does not describe a layout that the programs read.
    #[error("policy image: {0}")]
    Image(String),
}

impl Error {
    /// For `map_err` on libbpf calls.
    pub(crate) fn bpf(what: impl Into<String>) -> impl FnOnce(libbpf_rs::Error) -> Error {
        let what = what.into();
        move |source| Error::Bpf { what, source }
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
