//! Telling systemd, where it runs. Nothing else needs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// Where system programs are; PATH could name others.
const FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// Whether systemd is this machine's first process.
pub fn runs() -> bool {
    Path::new("/run/systemd/system").is_dir() && tool("systemctl").is_some()
}

/// A program of the system.
pub fn tool(name: &str) -> Option<PathBuf> {
    FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

/// `systemctl` with these words.
///
/// # Errors
/// It fails; the error has what it said.
pub fn systemctl(words: &[&str]) -> Result<(), Error> {
    let tool = tool("systemctl").unwrap_or_else(|| "systemctl".into());
    run(Command::new(tool).args(words))
}

pub(super) fn run(command: &mut Command) -> Result<(), Error> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("run", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::Command {
        command: shown,
        output: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<String>>().join(" ")
}
