//! The canary: a governed child of the daemon that tries to open a decoy whenever it is asked.
//!
//! It proves every few seconds what the self-test proves whole: that denials still reach system
//! calls. What it found last is kept in a file, for `tyr doctor`.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::error::Error;
use super::load::Programs;
use super::selftest::{self, outcome, pipe};
use super::tagging::RunningAgent;

/// A child that waits to be asked. Ends when it is dropped, or when the thread that made it does.
#[derive(Debug)]
pub struct Canary {
    pid: libc::pid_t,
    session: u64,
    ask: OwnedFd,
    answer: OwnedFd,
    /// Removed with the canary.
    _decoy: NamedTempFile,
}

impl Canary {
    /// Makes the child and its session. `slot` is that of the self-test in `generation`. Nobody
    /// else may tag processes or change the image meanwhile.
    ///
    /// # Errors
    /// Nothing is attached, or the child could not be made and tagged.
    pub fn start(programs: &Programs, generation: u32, slot: u32) -> Result<Canary, Error> {
        let io = |what| move |source| Error::Io { what, source };
        let decoy = selftest::decoy().map_err(Error::file(selftest::FOLDER))?;
        let path = CString::new(decoy.path().as_os_str().as_bytes())
            .map_err(|error| io("canary: the decoy's path")(error.into()))?;
        let (child_ask, ask) = pipe().map_err(io("canary: pipe"))?;
        let (answer, child_answer) = pipe().map_err(io("canary: pipe"))?;
        // SAFETY: the child only makes system calls with what was prepared, and never returns.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            live(&path, child_ask.as_raw_fd(), child_answer.as_raw_fd());
        }
        let tgid = u32::try_from(pid).map_err(|_| Error::Io {
            what: "canary: fork",
            source: std::io::Error::last_os_error(),
        })?;
        let mut canary = Canary {
            pid,
            session: 0,
            ask,
            answer,
            _decoy: decoy,
        };
        canary.session = programs.tag_child(RunningAgent {
            tgid,
            agent_type: selftest::TYPE_NUMBER,
        })?;
        programs.refine_session(canary.session, generation, slot)?;
        Ok(canary)
    }

    /// Its session, which needs a slot in every generation.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The errno of opening the decoy, 0 for success.
    ///
    /// # Errors
    /// The child is gone or does not answer in time.
    pub fn ask(&mut self) -> Result<i32, Error> {
        let failed = |source| Error::Io {
            what: "canary: its answer",
            source,
        };
        let mut ask = File::from(self.ask.try_clone().map_err(failed)?);
        ask.write_all(b"?").map_err(failed)?;
        selftest::wait_for(&self.answer)?;
        let mut errno = [0; 4];
        let mut answer = File::from(self.answer.try_clone().map_err(failed)?);
        answer.read_exact(&mut errno).map_err(failed)?;
        Ok(i32::from_ne_bytes(errno))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // SAFETY: the child is ours and not yet waited for.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

/// The child's life. It keeps no descriptor of the daemon's: locks must end with the daemon.
fn live(decoy: &CString, ask: i32, answer: i32) -> ! {
    let mut byte = 0u8;
    // SAFETY: only system calls, with pointers to memory that was made before the fork.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::dup2(ask, 0);
        libc::dup2(answer, 1);
        libc::syscall(libc::SYS_close_range, 2, u32::MAX, 0);
        while libc::read(0, (&raw mut byte).cast(), 1) == 1 {
            let opened = libc::open(decoy.as_ptr(), libc::O_RDONLY);
            let errno = outcome(opened);
            if opened >= 0 {
                libc::close(opened);
            }
            if libc::write(1, (&raw const errno).cast(), 4) != 4 {
                break;
            }
        }
        libc::_exit(0)
    }
}

/// What was proved last: the file that a daemon leaves for `tyr doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// CLOCK_BOOTTIME, milliseconds.
    pub at_boot_ms: u64,
    /// How often it is proved.
    pub every_ms: u64,
    /// Why enforcement is not proved; empty: it is.
    pub unproven: String,
}

/// Where the state is kept; gone with the boot.
pub const STATE_FILE: &str = "/run/tyr/canary.json";
/// Proofs that may be late before the daemon counts as gone.
const LATE_MAX: u64 = 3;

impl State {
    /// `None`: no daemon has proved anything since this boot, or the file is not a state.
    pub fn read(path: &Path) -> Option<State> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)?;
        let new = path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&new, path)
    }

    /// What is wrong with it at `now_ms`; `None`: enforcement is proved.
    pub fn problem(&self, now_ms: u64) -> Option<String> {
        if !self.unproven.is_empty() {
            return Some(self.unproven.clone());
        }
        let age_ms = now_ms.saturating_sub(self.at_boot_ms);
        (age_ms > LATE_MAX * self.every_ms).then(|| {
            format!(
                "the daemon has proved nothing for {} s: is it running?",
                age_ms / 1000
            )
        })
    }
}

#[cfg(test)]
mod tests;
