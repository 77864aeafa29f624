//! What a role may use of the process it runs in, as a value, so that a role can be run inside
//! a test, several at a time.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Arguments, environment and standard streams.
pub struct Process {
    /// The name it was called by, then its arguments.
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub stdin: Box<dyn Read + Send>,
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    /// Whether a person reads standard output: allows colours.
    pub stdout_is_terminal: bool,
    pub stdin_is_terminal: bool,
}

impl Process {
    /// The real one. Arguments and variables that are not UTF-8 are taken with replacements.
    pub fn of_this_process() -> Process {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        Process {
            args: std::env::args_os().map(text).collect(),
            env: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            stdin: Box::new(io::stdin()),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            stdout_is_terminal: io::stdout().is_terminal(),
            stdin_is_terminal: io::stdin().is_terminal(),
        }
    }

    /// One for a test: its streams are buffers.
    pub fn for_test(args: &[&str], stdin: &str) -> (Process, Capture) {
        let capture = Capture::default();
        let process = Process {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::new(),
            stdin: Box::new(io::Cursor::new(stdin.as_bytes().to_vec())),
            stdout: Box::new(capture.stdout.clone()),
            stderr: Box::new(capture.stderr.clone()),
            stdout_is_terminal: false,
            stdin_is_terminal: false,
        };
        (process, capture)
    }

    /// A variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Folder of the user's Tyr files: `$XDG_CONFIG_HOME/tyr`, else `$HOME/.config/tyr`.
    pub fn config_dir(&self) -> Option<PathBuf> {
        match self.var("XDG_CONFIG_HOME") {
            Some(folder) => Some(PathBuf::from(folder).join("tyr")),
            None => self
                .var("HOME")
                .map(|home| PathBuf::from(home).join(".config/tyr")),
        }
    }
}

/// What a process under test wrote.
#[derive(Clone, Default)]
pub struct Capture {
    pub stdout: Buffer,
    pub stderr: Buffer,
}

/// A stream kept in memory.
#[derive(Clone, Default)]
pub struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// Everything written so far.
    pub fn text(&self) -> String {
        let bytes = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
