//! What a `tyr policy` command prints, made without a terminal.

use serde_json::Value;

/// Everything went well.
pub const EXIT_OK: u8 = 0;
/// A test case failed.
pub const EXIT_FAILED: u8 = 1;
/// EX_USAGE of sysexits: an argument means nothing.
pub const EXIT_USAGE: u8 = 64;
/// EX_DATAERR of sysexits: a file was refused.
pub const EXIT_DATA: u8 = 65;

/// Output for people, for programs, and the exit code.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Ends with a line feed unless it is empty.
    pub text: String,
    pub json: Value,
    pub exit_code: u8,
}

/// A file that a command was given.
#[derive(Clone, Debug)]
pub struct File {
    /// As problems name it.
    pub name: String,
    pub bytes: Vec<u8>,
}
