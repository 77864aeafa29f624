//! How a role ends: a sysexits number, and one message that says what went wrong and how to
//! mend it.

use std::error::Error;
use std::fmt;

/// Exit statuses: those of sysexits.h, and one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// The question was answered, and the answer is no: a test failed, a host cannot enforce.
    Failure,
    Usage,
    /// The input is not valid: a policy with errors.
    Data,
    /// A file to read does not exist or cannot be read.
    NoInput,
    /// What was named does not exist on the server.
    NoName,
    /// The address cannot be resolved or reached.
    Unavailable,
    Software,
    Os,
    Io,
    /// The other side did not follow the protocol.
    Protocol,
    NoPermission,
    Config,
    /// The daemon took enforcement off as it was told to, and is not to be started again. Not of
    /// sysexits.h, whose last is 78.
    Released,
}

impl Exit {
    pub const ALL: [Exit; Exit::Released as usize + 1] = [
        Exit::Ok,
        Exit::Failure,
        Exit::Usage,
        Exit::Data,
        Exit::NoInput,
        Exit::NoName,
        Exit::Unavailable,
        Exit::Software,
        Exit::Os,
        Exit::Io,
        Exit::Protocol,
        Exit::NoPermission,
        Exit::Config,
        Exit::Released,
    ];

    /// The number the operating system gets.
    pub fn code(self) -> i32 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Data => 65,
            Exit::NoInput => 66,
            Exit::NoName => 68,
            Exit::Unavailable => 69,
            Exit::Software => 70,
            Exit::Os => 71,
            Exit::Io => 74,
            Exit::Protocol => 76,
            Exit::NoPermission => 77,
            Exit::Config => 78,
            Exit::Released => 79,
        }
    }
}

/// Why a role ended, ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// One sentence, lower case, with the causes after colons. Several lines are allowed.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            message: message.into(),
            help: String::new(),
        }
    }

    /// From an error and everything that caused it.
    pub fn caused(exit: Exit, what: impl fmt::Display, error: &dyn Error) -> Failure {
        Failure::new(exit, format!("{what}: {}", chain(error)))
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = help.into();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

/// An error and its causes in one line. A cause whose text the outer message already ends with
/// is not said twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
