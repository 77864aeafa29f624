//! What is remembered with an inode is used, and never where a decision would be another one.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use libc::EPERM;
use tyr::kernel::mounts::Mounts;
use tyr::kernel::tagging::RunningAgent;
use tyr::policy::compile::{Input, compile};
use tyr::policy::fact::Fact;
use tyr::policy::principal::Principal;

use crate::guest::*;
use crate::syscall::*;

pub const FREE: &str = "/tmp/vm/remember/free";
pub const SECRET: &str = "/tmp/vm/remember/secret";
/// What a child says when it does not understand.
const BAD_REQUEST: i32 = -2;

/// Puts rules in force under which what they do not match leaves no event.
fn quiet_with(rules: &str, slots: &[Principal]) -> (u32, Vec<u32>) {
    let input = Input {
        policies: &effective(rules),
        signatures: &GUEST.signatures,
        host: &Principal::default(),
        superblocks: &Mounts::read().expect("mounts").superblocks(),
        slots,
        moment: None,
        unmatched_is_silent: true,
    };
    let compiled = compile(&input).expect("compile");
    let generation = GUEST.programs.install(&compiled, |_| Ok(()));
    (generation.expect("install"), compiled.slots)
}

pub fn quiet(rules: &str) {
    quiet_with(rules, &[]);
}

/// A rule that denies a file to user 4242, and the slots of sessions of user 1 and of user 4242.
fn two_users(path: &str) -> (u32, Vec<u32>) {
    let of = |uid| Principal {
        uid: Fact::Known(uid),
        ..Principal::of_type(AGENT)
    };
    let rule = deny("file_read", path).replace(
        "    verdict: deny",
        "    condition: principal.uid == 4242\n    verdict: deny",
    );
    quiet_with(&rule, &[of(1), of(4242)])
}

/// Fresh folders `free` with a file `f`, and `secret`, below which nothing may be read.
pub fn stage() -> Turn {
    folder("remember");
    std::fs::create_dir_all(FREE).unwrap();
    std::fs::create_dir_all(SECRET).unwrap();
    std::fs::write(format!("{FREE}/f"), "content").unwrap();
    let turn = policy(&deny("exec", "/nowhere"));
    quiet(&deny("file_read", "/tmp/vm/remember/secret/**"));
    turn
}

/// An agent that opens files when told to, one process for many opens.
pub struct Agent {
    pid: i32,
    session: u64,
    requests: std::fs::File,
    answers: std::fs::File,
}

fn serve(requests: OwnedFd, answers: OwnedFd) {
    let (mut requests, mut answers) = (std::fs::File::from(requests), std::fs::File::from(answers));
    let mut request = [0; 256];
    let mut kept = None;
    loop {
        let length = requests.read(&mut request).expect("a request");
        if length < 2 {
            return;
        }
        let path = &request[1..length];
        let result = match request[0] {
            b'r' => opened(path, false),
            b'w' => opened(path, true),
            b'k' => match std::fs::File::open(std::ffi::OsStr::from_bytes(path)) {
                Ok(file) => {
                    kept = Some(file);
                    0
                }
                Err(error) => error.raw_os_error().unwrap_or(BAD_REQUEST),
            },
            b'u' => kept.as_ref().map_or(BAD_REQUEST, use_again),
            b'x' => run(
                std::str::from_utf8(path).unwrap(),
                &["x", &format!("{FREE}/f")],
            ),
            b'c' => connect(std::str::from_utf8(path).unwrap()),
            _ => BAD_REQUEST,
        };
        answers.write_all(&result.to_ne_bytes()).unwrap();
    }
}

/// Opens a file and closes it again.
fn opened(path: &[u8], writing: bool) -> i32 {
    let mut options = std::fs::File::options();
    options.read(!writing).write(writing);
    match options.open(std::ffi::OsStr::from_bytes(path)) {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(BAD_REQUEST),
    }
}

/// Reads the first byte of what is open.
fn use_again(file: &std::fs::File) -> i32 {
    match file.read_at(&mut [0], 0) {
        Ok(1) => 0,
        Ok(_) => BAD_REQUEST,
        Err(error) => error.raw_os_error().unwrap_or(BAD_REQUEST),
    }
}

fn connect(address: &str) -> i32 {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = std::net::UdpSocket::bind(any).unwrap();
    match socket.connect(address) {
        Ok(()) => 0,
        Err(error) => error.raw_os_error().unwrap_or(BAD_REQUEST),
    }
}

impl Agent {
    pub fn start() -> Agent {
        let (request_read, request_write) = pipe();
        let (answer_read, answer_write) = pipe();
        // SAFETY: the child serves and leaves by _exit.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            drop((request_write, answer_read));
            let body = || serve(request_read, answer_write);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).ok();
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(0) };
        }
        let agent = RunningAgent {
            tgid: pid.cast_unsigned(),
            agent_type: u32::from(GUEST.signatures.number(AGENT).expect("a signature")),
        };
        Agent {
            pid,
            session: GUEST.programs.tag_process(agent).expect("tag"),
            requests: request_write.into(),
            answers: answer_read.into(),
        }
    }

    pub fn ask(&mut self, what: char, path: &str) -> i32 {
        let asked = self.requests.write_all(format!("{what}{path}").as_bytes());
        let mut answer = [0; 4];
        let answered = asked.and_then(|()| self.answers.read_exact(&mut answer));
        answered.unwrap_or_else(|error| {
            let mut status = 0;
            // SAFETY: `status` is valid; the child is ours.
            unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) };
            panic!("{what}{path}: {error}; the agent's status is {status:#x}")
        });
        i32::from_ne_bytes(answer)
    }

    fn refine(&self, generation: u32, slot: u32) {
        let known = GUEST
            .programs
            .refine_session(self.session, generation, slot);
        assert!(known.expect("refine"));
    }

    pub fn read(&mut self, path: &str) -> i32 {
        self.ask('r', path)
    }

    /// Reads a file until it is remembered, and shows that it is.
    pub fn learn(&mut self, path: &str) {
        assert_eq!(self.read(path), 0, "{path}");
        assert_eq!(self.recalls(path), 5, "{path} is remembered");
    }

    /// How many of five reads were not decided anew.
    fn recalls(&mut self, path: &str) -> u64 {
        let before = remembered();
        for _ in 0..5 {
            assert_eq!(self.read(path), 0, "{path}");
        }
        remembered() - before
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SAFETY: the child is ours.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

pub fn remembered() -> u64 {
    GUEST.programs.counters().expect("counters").remembered
}

pub fn exchange(from: &str, to: &str) {
    let (from, to) = (c(from), c(to));
    let result = call!(libc::renameat2(
        libc::AT_FDCWD,
        from.as_ptr(),
        libc::AT_FDCWD,
        to.as_ptr(),
        libc::RENAME_EXCHANGE
    ));
    assert_eq!(result, 0);
}

#[test]
fn the_same_open_is_not_decided_twice() {
    let _turn = stage();
    let mut agent = Agent::start();
    agent.learn(&format!("{FREE}/f"));
    agent.learn(FREE);
    let denied = counts()["denied"];
    assert_eq!(agent.read(&format!("{SECRET}/none")), libc::ENOENT);
    std::fs::write(format!("{SECRET}/f"), "content").unwrap();
    for _ in 0..3 {
        assert_eq!(agent.read(&format!("{SECRET}/f")), EPERM);
    }
    assert_eq!(
        counts()["denied"] - denied,
        3,
        "a denial is never remembered"
    );
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_rename_of_the_file_or_of_any_parent_is_seen() {
    let _turn = stage();
    let mut agent = Agent::start();
    let (free, secret) = (format!("{FREE}/f"), format!("{SECRET}/f"));
    agent.learn(&free);
    assert_eq!(rename(&free, &secret), 0);
    assert_eq!(agent.read(&secret), EPERM, "the file");
    assert_eq!(rename(&secret, &free), 0);
    assert_eq!(agent.read(&free), 0, "and back");

    let deep = format!("{FREE}/a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(format!("{deep}/f"), "content").unwrap();
    agent.learn(&format!("{deep}/f"));
    agent.learn(&deep);
    assert_eq!(rename(&format!("{FREE}/a"), &format!("{SECRET}/a")), 0);
    assert_eq!(agent.read(&format!("{SECRET}/a/b/c/f")), EPERM, "a parent");
    assert_eq!(agent.read(&format!("{SECRET}/a/b/c")), EPERM, "a folder");

    std::fs::write(&secret, "other").unwrap();
    agent.learn(&free);
    exchange(&free, &secret);
    assert_eq!(agent.read(&secret), EPERM, "exchanged files");
    agent.learn(&free);
    exchange(FREE, SECRET);
    assert_eq!(agent.read(&free), 0, "what was secret is free");
    assert_eq!(agent.read(&secret), EPERM, "exchanged folders");
}

#[test]
fn other_names_are_never_covered() {
    let _turn = stage();
    let mut agent = Agent::start();
    let (free, secret) = (format!("{FREE}/f"), format!("{SECRET}/f"));
    agent.learn(&free);
    assert_eq!(link(&free, &secret), 0);
    assert_eq!(agent.read(&secret), EPERM, "a second name");
    assert_eq!(agent.read(&free), EPERM, "one of two names");
    assert_eq!(call!(libc::unlink(c(free.as_str()).as_ptr())), 0);
    assert_eq!(agent.read(&secret), EPERM, "the name that is left");
    assert_eq!(rename(&secret, &free), 0);
    assert_eq!(agent.recalls(&free), 0, "it had two names once");

    std::fs::write(&free, "content").unwrap();
    std::fs::remove_file(&free).unwrap();
    std::fs::write(&free, "content").unwrap();
    agent.learn(&free);
}

#[test]
fn a_file_without_a_name_gets_one_where_it_is_denied() {
    let _turn = stage();
    let mut agent = Agent::start();
    let folder = c(FREE);
    // SAFETY: the path ends with NUL; the descriptor is then owned.
    let file = unsafe {
        let flags = libc::O_TMPFILE | libc::O_RDWR;
        OwnedFd::from_raw_fd(libc::open(folder.as_ptr(), flags, 0o600))
    };
    let shown = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    assert_eq!(agent.recalls(&shown), 0, "unnamed");
    let (from, to) = (c(shown.as_str()), c(format!("{SECRET}/f")));
    assert_eq!(
        call!(libc::linkat(
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::AT_SYMLINK_FOLLOW
        )),
        0
    );
    assert_eq!(agent.read(&format!("{SECRET}/f")), EPERM);
}

#[test]
fn a_new_generation_forgets() {
    let _turn = stage();
    let mut agent = Agent::start();
    let free = format!("{FREE}/f");
    agent.learn(&free);
    quiet(&deny("file_read", &free));
    assert_eq!(agent.read(&free), EPERM, "another policy");
    quiet(&deny("file_read", "/tmp/vm/remember/secret/**"));
    agent.learn(&free);

    let (from, to) = (c(FREE), c(SECRET));
    let none = std::ptr::null();
    // SAFETY: paths end with NUL, the rest is not looked at.
    let bound =
        unsafe { libc::mount(from.as_ptr(), to.as_ptr(), none, libc::MS_BIND, none.cast()) };
    assert_eq!(errno(i64::from(bound)), 0, "a bind mount");
    quiet(&deny("file_read", "/tmp/vm/remember/secret/**"));
    let seen = (agent.read(&format!("{SECRET}/f")), agent.read(&free));
    assert_eq!(call!(libc::umount2(to.as_ptr(), libc::MNT_DETACH)), 0);
    assert_eq!(seen, (EPERM, EPERM), "any of its paths is denied");
}

#[test]
fn another_action_or_program_is_decided_by_itself() {
    let _turn = stage();
    let (free, reader) = (format!("{FREE}/f"), "/tmp/vm/remember/reader");
    std::fs::copy("/usr/bin/cat", reader).unwrap();
    quiet(&format!(
        "{}  - name: reader\n    action: file_read\n    resource_pattern: {free}\n    \
         binaries: [{reader}]\n    verdict: deny\n",
        deny("file_write", &free)
    ));
    let mut agent = Agent::start();
    agent.learn(&free);
    assert_eq!(agent.ask('w', &free), EPERM, "to write");
    assert_eq!(agent.ask('x', reader), 1, "by a program that may not");
    assert_eq!(agent.read(&free), 0);
    assert_eq!(agent.ask('x', "/usr/bin/cat"), 0, "by another one");
}

#[test]
fn a_session_that_is_refined_is_another_subject() {
    let turn = stage();
    let free = format!("{FREE}/f");
    let (generation, slots) = two_users(&free);
    let mut agent = Agent::start();
    assert_eq!(agent.read(&free), EPERM, "not known who it is");
    let refine = |agent: &Agent, slot| agent.refine(generation, slot);
    refine(&agent, slots[0]);
    agent.learn(&free);
    refine(&agent, slots[1]);
    assert_eq!(agent.read(&free), EPERM, "user 4242");
    refine(&agent, slots[0]);
    agent.learn(&free);
    drop(turn);
}

#[test]
fn what_is_open_is_judged_at_every_use() {
    let _turn = stage();
    let mut agent = Agent::start();
    let (free, secret) = (format!("{FREE}/f"), format!("{SECRET}/f"));
    assert_eq!(agent.ask('k', &free), 0);
    assert_eq!(agent.ask('u', "-"), 0);
    assert_eq!(agent.ask('u', "-"), 0);

    std::fs::rename(&free, &secret).unwrap();
    assert_eq!(agent.ask('u', "-"), EPERM, "its name is denied now");
    std::fs::rename(&secret, &free).unwrap();
    assert_eq!(agent.ask('u', "-"), 0);

    std::fs::hard_link(&free, &secret).unwrap();
    assert_eq!(agent.ask('u', "-"), EPERM, "another name is denied");
    std::fs::remove_file(&secret).unwrap();

    quiet(&deny("file_read", &free));
    assert_eq!(agent.ask('u', "-"), EPERM, "another policy");
    quiet(&deny("file_read", "/tmp/vm/remember/secret/**"));
    assert_eq!(agent.ask('u', "-"), 0);
}

#[test]
fn what_is_open_is_another_file_for_another_subject() {
    let _turn = stage();
    let free = format!("{FREE}/f");
    let (generation, slots) = two_users(&free);
    let mut agent = Agent::start();
    let refine = |agent: &Agent, slot| agent.refine(generation, slot);
    refine(&agent, slots[0]);
    assert_eq!(agent.ask('k', &free), 0);
    for (slot, expected) in [(0, 0), (1, EPERM), (0, 0), (1, EPERM)] {
        refine(&agent, slots[slot]);
        assert_eq!(agent.ask('u', "-"), expected, "user {slot}");
    }
}

#[test]
fn what_shows_an_agent_is_not_passed_over() {
    let _turn = stage();
    let site = "/tmp/vm/remember/free/lib/python3.11/site-packages/langgraph";
    std::fs::create_dir_all(site).unwrap();
    let init = format!("{site}/__init__.py");
    std::fs::write(&init, "").unwrap();
    std::fs::write(format!("{SECRET}/f"), "content").unwrap();
    // Remembered by an agent that is no interpreter.
    let mut agent = Agent::start();
    agent.learn(&init);
    let script = "import sys
for _ in range(3):
    open('/tmp/vm/remember/free/f').close()
    open('/tmp/vm/remember/secret/f').close()
open(sys.argv[1]).close()
try:
    open('/tmp/vm/remember/secret/f')
except PermissionError:
    sys.exit(7)
";
    let before = remembered();
    let status = as_stranger(|| run("/usr/bin/python3", &["python3", "-c", script, &init]));
    assert_eq!(status, 7, "free before it opens a framework, denied after");
    let again = remembered() - before;
    assert!(again >= 4, "an interpreter's opens are remembered: {again}");
}

#[test]
fn every_connection_is_decided_by_what_is_in_force() {
    let _turn = stage();
    let rule = |range: &str| {
        format!(
            "  - name: far\n    action: net_connect\n    cidr_deny: [{range}]\n    verdict: deny\n"
        )
    };
    quiet(&rule("127.0.0.2/32"));
    let mut agent = Agent::start();
    let decisions = || GUEST.programs.counters().expect("counters").decisions;
    let (before, remembered_before) = (decisions(), remembered());
    for _ in 0..5 {
        assert_eq!(agent.ask('c', "127.0.0.1:9"), 0);
    }
    assert!(decisions() - before >= 5, "each is decided");
    assert_eq!(remembered(), remembered_before, "none is remembered");
    assert_eq!(agent.ask('c', "127.0.0.2:9"), EPERM, "another address");
    assert_eq!(agent.ask('c', "[::ffff:127.0.0.2]:9"), EPERM, "and mapped");
    assert_eq!(agent.ask('c', "127.0.0.1:9"), 0);
    quiet(&rule("127.0.0.1/32"));
    assert_eq!(agent.ask('c', "127.0.0.1:9"), EPERM, "another policy");
    assert_eq!(agent.ask('c', "127.0.0.2:9"), 0);
}
