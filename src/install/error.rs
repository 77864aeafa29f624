//! Why nothing was installed, or taken back.

use std::io;
use std::path::PathBuf;

/// Every message names the file and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{path} is not what `tyr install` laid out: move it away, or choose another --prefix")]
    Foreign { path: PathBuf },
    #[error(
        "a package manager has installed Tyr ({path} is there): \
         upgrade or remove the package with it"
    )]
    Packaged { path: PathBuf },
    #[error("Tyr is installed below {there}: run `tyr uninstall` first, or use --prefix {there}")]
    Elsewhere { there: PathBuf },
    #[error(
        "the prefix {path} is not an absolute path without `.`, `..` and characters that systemd reads as more than a path"
    )]
    Prefix { path: PathBuf },
    #[error("{path} is not a record of an installation: {reason}; move it away to go on without")]
    Record { path: PathBuf, reason: String },
    #[error("{path} is locked by another program that changes users: try again when it has ended")]
    AccountsLocked { path: PathBuf },
    #[error("no number from 100 to 999 is free for the user `{name}`: make it by hand")]
    NoFreeNumber { name: String },
    #[error("there is no user or group `{name}`, which should own {path}")]
    NoAccount { name: String, path: PathBuf },
    #[error("{command} failed:\n{output}")]
    Command { command: String, output: String },
}

impl Error {
    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { what, path, source }
    }
}
