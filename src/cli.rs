//! The command line: one file for each noun. Standard output is data, standard error is talk.

pub mod agents;
pub mod args;
pub mod audit;
pub mod break_glass;
pub mod client;
pub mod completion;
pub mod credentials;
pub mod doctor;
pub mod enrollment_token;
pub mod hosts;
pub mod install;
pub mod login;
pub mod output;
pub mod policy;
pub mod sse;
pub mod version;

use std::io::Write;

use crate::exit::{Exit, Failure};
use crate::process::Process;

/// What every command returns: how it ended, or why it could not do its work.
pub type Outcome = Result<Exit, Failure>;

/// Writes data to standard output. A reader that has gone away ends the command as a success,
/// as `head` expects.
///
/// # Errors
///
/// The failure to return at once.
pub fn write(process: &mut Process, text: &str) -> Result<(), Failure> {
    let written = process
        .stdout
        .write_all(text.as_bytes())
        .and_then(|()| process.stdout.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Exit::Ok, ""),
        _ => Failure::caused(Exit::Io, "cannot write to standard output", &error),
    })
}

/// Tells a person something that is not data.
pub fn tell(process: &mut Process, text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(process.stderr, "{}", output::plain_lines(text));
}

/// Runs the asynchronous part of a command.
///
/// # Errors
///
/// That of the command, or that no runtime could be made.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Os, "cannot start the runtime", &error))?
        .block_on(work)
}
