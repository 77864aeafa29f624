//! The policy compiler in a process of its own.
//!
//! Compiling takes many times the memory that a daemon holds, for a moment, and what it takes
//! depends on what the policies say. Where another process does it, the daemon stays small, and
//! policies that need too much end that process and not the daemon.
//!
//! The two speak over sockets, not pipes: a governed root could open a pipe again by
//! `/proc/PID/fd`. It can neither send the compiler signals nor write to its memory, as with every
//! process of root outside its session.

mod answer;
mod request;
mod serve;

use std::io::{self, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::policy::compile::{CompileError, Compiled, Input};

pub use serve::serve;

/// The name by which the executable is the compiler.
pub const NAME: &str = "tyr-compiler";
/// Bytes of memory that compiling may take.
const MEMORY_MAX_BYTES: u64 = 1 << 30;
/// Seconds of a processor's time that compiling may take.
const TIME_MAX_SECONDS: u64 = 300;

/// How long it may say nothing: it answers when all is done, on a busy machine later. One that was
/// stopped takes no processor's time.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// How long one that has answered, or that nobody hears any more, may take to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Most bytes of what a failed one says.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// Where the compiler is.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    silence: Duration,
}

/// There are no tables.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    #[error(transparent)]
    Refused(#[from] CompileError),
    #[error("cannot start the policy compiler {}", .program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error(
        "the policy compiler was ended by signal {signal}: it may take {} MiB of memory and \
         {TIME_MAX_SECONDS} s of a processor's time; use fewer or more exact wildcards",
        MEMORY_MAX_BYTES >> 20
    )]
    Killed { signal: i32 },
    #[error("the policy compiler said nothing for {} s and was ended", .0.as_secs())]
    Silent(Duration),
    #[error("the policy compiler failed with status {status}: {said}")]
    Failed { status: i32, said: String },
    #[error("the policy compiler's answer cannot be read: {0}")]
    Answer(String),
}

impl Compiler {
    /// This process's own executable.
    pub fn own() -> Compiler {
        Compiler::at(Path::new("/proc/self/exe"))
    }

    /// An executable of Tyr.
    pub fn at(program: &Path) -> Compiler {
        Compiler {
            program: program.to_owned(),
            silence: SILENCE,
        }
    }

    /// The same, given up after another time without a word.
    pub fn given_up_after(self, silence: Duration) -> Compiler {
        Compiler { silence, ..self }
    }

    /// Compiles the policies of a host.
    ///
    /// # Errors
    /// The tables would be too large, or the other process does not give any.
    pub fn compile(&self, input: &Input<'_>) -> Result<Compiled, CompilerError> {
        let started = |source| CompilerError::Start {
            program: self.program.clone(),
            source,
        };
        let (speech, its_speech) = UnixStream::pair().map_err(started)?;
        let (complaints, its_complaints) = UnixStream::pair().map_err(started)?;
        // Nobody listens before it has ended.
        its_complaints
            .set_nonblocking(true)
            .and_then(|()| complaints.set_nonblocking(true))
            .map_err(started)?;
        let silence = Some(self.silence);
        speech
            .set_read_timeout(silence)
            .and_then(|()| speech.set_write_timeout(silence))
            .map_err(started)?;
        let mut child = self.start(its_speech, its_complaints).map_err(started)?;
        let begun = Instant::now();
        match exchange(&speech, input) {
            Ok(answer) => {
                // It has said everything; how it ends changes nothing.
                last_words(&mut child);
                let said = all_of(complaints);
                if !said.is_empty() {
                    tracing::warn!(said, "the policy compiler");
                }
                Ok(answer?)
            }
            Err(unread) => {
                drop(speech);
                Err(match last_words(&mut child) {
                    Some(ended) => why(ended, unread, complaints),
                    None if begun.elapsed() >= self.silence => CompilerError::Silent(self.silence),
                    None => unread.into(),
                })
            }
        }
    }

    fn start(&self, speech: UnixStream, complaints: UnixStream) -> io::Result<Child> {
        let speech = OwnedFd::from(speech);
        Command::new(&self.program)
            .arg0(NAME)
            // Nothing of the daemon's surroundings means anything to it.
            .env_clear()
            .stdin(speech.try_clone()?)
            .stdout(speech)
            .stderr(OwnedFd::from(complaints))
            .spawn()
    }
}

/// What kept an answer from being had.
struct Unread(String);

impl From<Unread> for CompilerError {
    fn from(unread: Unread) -> CompilerError {
        CompilerError::Answer(unread.0)
    }
}

impl<E: std::error::Error> From<E> for Unread {
    fn from(error: E) -> Unread {
        Unread(error.to_string())
    }
}

/// The compiler reads everything before it writes.
fn exchange(
    speech: &UnixStream,
    input: &Input<'_>,
) -> Result<Result<Compiled, CompileError>, Unread> {
    let mut to = BufWriter::new(speech);
    postcard::to_io(input, &mut to)?;
    to.flush()?;
    speech.shutdown(Shutdown::Write)?;
    answer::read(speech).map_err(Unread)
}

/// How it ended by itself. Its socket is closed, so it does that at once; else it is ended.
fn last_words(child: &mut Child) -> Option<ExitStatus> {
    let end = Instant::now() + LAST_WORDS;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(ended) => return ended,
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// A compiler that did not end well says more than the answer it did not finish.
fn why(ended: ExitStatus, unread: Unread, complaints: UnixStream) -> CompilerError {
    match (ended.signal(), ended.code()) {
        (Some(signal), _) => CompilerError::Killed { signal },
        (None, Some(status @ 1..)) => CompilerError::Failed {
            status,
            said: all_of(complaints),
        },
        _ => unread.into(),
    }
}

/// What has arrived, up to a bound.
fn all_of(complaints: UnixStream) -> String {
    let mut bytes = Vec::new();
    // What came before an error counts.
    let _ = complaints.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
