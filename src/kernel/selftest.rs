//! Proof that denials reach the syscall: a throw-away child must be refused an open, an exec and a
//! connect.
//!
//! The rules for it are a policy that binds only the agent type of the self-test, so they can stay
//! in the image in force without touching anything else. `policy` and `principal` are added to
//! what is compiled; the slot of the principal and the generation are what `prove` needs. A
//! session whose type is not known may be of any type, but never of this one: its slot is that of
//! `stranger`.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tempfile::NamedTempFile;

use super::error::Error;
use super::load::Programs;
use super::mounts::Mounts;
use super::tagging::RunningAgent;
use crate::model::verdict::Mode;
use crate::policy;
use crate::policy::compile::{Input, compile};
use crate::policy::condition::Attribute;
use crate::policy::fact::Fact;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

/// The agent type that only self-tests have.
pub const AGENT_TYPE: &str = "tyr-self-test";
/// Its number, the largest there is; records with it are the self-test's own.
pub const TYPE_NUMBER: u32 = 1023;

const POLICY: &str = include_str!("selftest/policy.yaml");
/// Where decoys lie; the policy's pattern is what is below. A fixed place, because a pattern that
/// may match anywhere would make every open of every agent longer to decide.
pub(super) const FOLDER: &str = "/run/tyr-self-test";
const CHECKS: usize = 3;
/// The child has this long for its attempts.
const CHILD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the child was answered: an errno each, 0 for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    pub open: i32,
    pub exec: i32,
    pub connect: i32,
}

impl Proof {
    /// Whether every attempt ended with EPERM.
    pub fn holds(self) -> bool {
        self.not_denied().is_empty()
    }

    /// What was attempted and not refused with EPERM.
    pub fn not_denied(self) -> Vec<&'static str> {
        let attempts = [
            ("open", self.open),
            ("exec", self.exec),
            ("connect", self.connect),
        ];
        let failed = attempts
            .into_iter()
            .filter(|(_, errno)| *errno != libc::EPERM);
        failed.map(|(name, _)| name).collect()
    }
}

/// The policy of the self-test, to be compiled with those in force.
///
/// # Panics
/// Never: a test loads it.
pub fn policy() -> Effective {
    let loaded = policy::load(
        "self-test",
        POLICY.as_bytes(),
        &policy::LoadOptions::default(),
    );
    let policy = loaded
        .ok()
        .and_then(|loaded| loaded.policies.into_iter().next());
    Effective {
        policy: Arc::new(
            policy
                .expect("the built-in self-test policy is valid")
                .policy,
        ),
        version: 1,
        mode: Mode::Enforce,
        agent_types: vec![AGENT_TYPE.to_owned()],
    }
}

/// The slot to compile for the child.
pub fn principal() -> Principal {
    Principal::of_type(AGENT_TYPE)
}

/// A session of which nothing is known but that it is not the self-test's: it may be of every type
/// that has a signature. `policies` are those of the operator.
///
/// Types that no rule tells apart are one, so that the answer does not take longer than it must.
pub fn stranger(policies: &[Effective], signatures: &Signatures, host: &Principal) -> Principal {
    let rules = || {
        policies
            .iter()
            .flat_map(|effective| &effective.policy.rules)
    };
    let all_differ = rules().any(|rule| {
        let condition = rule.condition.as_ref();
        condition.is_some_and(|condition| condition.needs().reads(Attribute::AgentType))
    });
    let assigned = policies.iter().map(|effective| &effective.agent_types);
    let lists: Vec<&Vec<String>> = assigned
        .chain(rules().map(|rule| &rule.agent_types))
        .collect();
    let mut seen = HashSet::new();
    let mut types = Vec::new();
    for id in signatures.ids() {
        let member: Vec<bool> = lists
            .iter()
            .map(|list| list.iter().any(|other| other == id))
            .collect();
        if all_differ || seen.insert(member) {
            types.push(id.to_owned());
        }
    }
    Principal {
        agent_types: Fact::Known(types),
        ..host.clone()
    }
}

/// Runs the self-test against the image in force. `slot` is that of `principal` in `generation`.
/// Nobody else may tag processes or change the image meanwhile.
///
/// # Errors
/// Nothing is attached, or the child could not be made and tagged.
pub fn prove(programs: &Programs, generation: u32, slot: u32) -> Result<Proof, Error> {
    let io = |what| move |source| Error::Io { what, source };
    let decoy = decoy().map_err(Error::file(FOLDER))?;
    let attempts = Attempts::new(decoy.path())?;
    let (go, child_go) = pipe().map_err(io("self-test: pipe"))?;
    let (answer, child_answer) = pipe().map_err(io("self-test: pipe"))?;
    // SAFETY: the child only makes system calls with what was prepared, and never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        attempts.run(&go, &child_answer);
    }
    let tgid = u32::try_from(pid).map_err(|_| Error::Io {
        what: "self-test: fork",
        source: std::io::Error::last_os_error(),
    })?;
    drop(child_answer);
    let tagged = programs.tag_child(RunningAgent {
        tgid,
        agent_type: TYPE_NUMBER,
    });
    let refined = tagged.as_ref().ok().map(|session| {
        // A child that is not governed must not try anything.
        programs.refine_session(*session, generation, slot)?;
        File::from(child_go)
            .write_all(b"g")
            .map_err(io("self-test: pipe"))
    });
    let bytes = match refined {
        Some(Ok(())) => answered(answer),
        Some(Err(error)) => Err(error),
        None => Ok([0; CHECKS * 4]),
    };
    // SAFETY: the child is ours and not yet waited for; it has answered, or must not.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
    programs.remove_session(tagged?)?;
    let bytes = bytes?;
    let errno = |at: usize| i32::from_ne_bytes(std::array::from_fn(|i| bytes[at * 4 + i]));
    Ok(Proof {
        open: errno(0),
        exec: errno(1),
        connect: errno(2),
    })
}

/// What the child says, if it says it in time.
fn answered(answer: OwnedFd) -> Result<[u8; CHECKS * 4], Error> {
    wait_for(&answer)?;
    let mut bytes = [0; CHECKS * 4];
    File::from(answer)
        .read_exact(&mut bytes)
        .map_err(|source| Error::Io {
            what: "self-test: the child's answer",
            source,
        })?;
    Ok(bytes)
}

/// Waits until there is something to read.
pub(super) fn wait_for(answer: &OwnedFd) -> Result<(), Error> {
    let failed = |source| Error::Io {
        what: "self-test: the child's answer",
        source,
    };
    let mut poll = libc::pollfd {
        fd: answer.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout_ms = i32::try_from(CHILD_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `poll` is one valid pollfd that lives through the call.
    match unsafe { libc::poll(&raw mut poll, 1, timeout_ms) } {
        0 => Err(failed(std::io::ErrorKind::TimedOut.into())),
        1.. => Ok(()),
        _ => Err(failed(std::io::Error::last_os_error())),
    }
}

/// Puts an image with nothing but the self-test in force and runs it: for programs that were
/// loaded for this alone.
///
/// # Errors
/// As for `prove`, and when the image cannot be compiled or written.
pub fn prove_alone(programs: &Programs) -> Result<Proof, Error> {
    let signatures = Signatures::builtin();
    let superblocks = Mounts::read()?.superblocks();
    let slots = [principal()];
    let input = Input {
        policies: &[policy()],
        signatures: &signatures,
        host: &Principal::default(),
        superblocks: &superblocks,
        slots: &slots,
        moment: None,
        unmatched_is_silent: true,
    };
    let compiled = compile(&input).map_err(|error| Error::Image(error.to_string()))?;
    let generation = programs.install(&compiled, |_| Ok(()))?;
    let slot = compiled.slots.first().copied();
    prove(programs, generation, slot.unwrap_or(compiled.unknown_slot))
}

/// A file that can be read without Tyr; else a refusal would prove nothing.
pub(super) fn decoy() -> std::io::Result<NamedTempFile> {
    match fs::DirBuilder::new().mode(0o700).create(FOLDER) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let file = tempfile::Builder::new()
        .prefix("decoy-")
        .tempfile_in(FOLDER)?;
    File::open(file.path()).map(|_| file)
}

/// Both ends, reading first; closed by exec.
pub(super) fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and nobody else owns the two.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Everything the child needs, made before the fork: between fork and exec a process with several
/// threads may only make system calls.
struct Attempts {
    decoy: CString,
    /// A program that does nothing harmful should the exec be allowed.
    program: CString,
    argument: CString,
    address: libc::sockaddr_in,
}

impl Attempts {
    fn new(decoy: &Path) -> Result<Attempts, Error> {
        use std::os::unix::ffi::OsStrExt;
        let text = |bytes: &[u8]| {
            CString::new(bytes).map_err(|error| Error::Io {
                what: "self-test: a path",
                source: error.into(),
            })
        };
        Ok(Attempts {
            decoy: text(decoy.as_os_str().as_bytes())?,
            program: text(b"/proc/self/exe")?,
            argument: text(b"version")?,
            // 192.0.2.1 is for documentation; a UDP connect sends nothing.
            address: libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 9u16.to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes([192, 0, 2, 1]),
                },
                sin_zero: [0; 8],
            },
        })
    }

    /// The child's life. Every answer is sent before the exec, which comes last.
    fn run(&self, go: &OwnedFd, answer: &OwnedFd) -> ! {
        let mut byte = 0u8;
        let mut errnos = [0i32; CHECKS];
        let arguments = [
            self.program.as_ptr(),
            self.argument.as_ptr(),
            std::ptr::null(),
        ];
        let environment: [*const libc::c_char; 1] = [std::ptr::null()];
        // SAFETY: only system calls, with pointers to memory that was made before the fork.
        unsafe {
            // The child holds the other end of its pipe too, and would wait for ever.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::read(go.as_raw_fd(), (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(0);
            }
            errnos[0] = outcome(libc::open(self.decoy.as_ptr(), libc::O_RDONLY));
            let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
            let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            let address = (&raw const self.address).cast();
            errnos[2] = outcome(libc::connect(socket, address, length));
            let quiet = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            libc::dup2(quiet, 1);
            libc::dup2(quiet, 2);
            // Another process answers for the exec, so that success can be told as well.
            let runner = libc::fork();
            if runner == 0 {
                let program = self.program.as_ptr();
                libc::execve(program, arguments.as_ptr(), environment.as_ptr());
                libc::_exit(if outcome(-1) == libc::EPERM {
                    REFUSED
                } else {
                    1
                });
            }
            let mut status = 0;
            libc::waitpid(runner, &raw mut status, 0);
            if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == REFUSED {
                errnos[1] = libc::EPERM;
            }
            libc::write(answer.as_raw_fd(), errnos.as_ptr().cast(), CHECKS * 4);
            libc::_exit(0)
        }
    }
}

/// Exit status that says: EPERM. No part of Tyr ends with it.
const REFUSED: i32 = 113;

/// The errno of a call that has just returned `result`, 0 for success.
pub(super) fn outcome(result: i32) -> i32 {
    if result >= 0 {
        return 0;
    }
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}
