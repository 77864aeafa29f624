//! What every test needs: the programs loaded once, policies, agents in children, records.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::mounts::Mounts;
use tyr::kernel::object::EnforcementMode;
use tyr::kernel::record::{Object, Operation, Record};
use tyr::kernel::tagging::RunningAgent;
use tyr::model::verdict::{Mode, Verdict};
use tyr::policy::compile::{Compiled, Input, compile};
use tyr::policy::principal::Principal;
use tyr::policy::rule::Effective;
use tyr::policy::signatures::Signatures;

pub const PIN_DIR: &str = "/sys/fs/bpf/tyr-test";
/// Agents of the tests.
pub const AGENT: &str = "claude-code";

/// The programs and a reader of their records.
pub struct Guest {
    pub programs: Arc<Programs>,
    records: Mutex<Vec<Record>>,
    pub signatures: Signatures,
    /// Tests change the image, so one runs at a time.
    turn: Mutex<()>,
}

pub static GUEST: LazyLock<Guest> = LazyLock::new(|| {
    let options = LoadOptions {
        pin_dir: Some(PathBuf::from(PIN_DIR)),
        scope: None,
        mode_limit: EnforcementMode::Lsm,
    };
    let programs = Arc::new(Programs::load(&options).expect("load"));
    assert_ne!(
        programs.mode(),
        EnforcementMode::Observe,
        "{:?}",
        programs.limits()
    );
    let reader = Arc::clone(&programs);
    thread::spawn(move || {
        let stop = AtomicBool::new(false);
        reader
            .records(&stop, |record| {
                GUEST
                    .records
                    .lock()
                    .unwrap()
                    .push(record.expect("a record of this version"));
            })
            .expect("records");
    });
    Guest {
        programs,
        records: Mutex::default(),
        signatures: Signatures::builtin(),
        turn: Mutex::default(),
    }
});

/// One test's turn, with a policy in force.
pub struct Turn {
    _turn: MutexGuard<'static, ()>,
}

/// Puts `rules` (YAML list items, indented by two) in force for every agent.
pub fn policy(rules: &str) -> Turn {
    let turn = GUEST
        .turn
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    install(rules);
    GUEST.records.lock().unwrap().clear();
    Turn { _turn: turn }
}

pub fn install(rules: &str) -> u32 {
    install_in(&GUEST.programs, rules)
}

pub fn install_in(programs: &Programs, rules: &str) -> u32 {
    let compiled = compiled(rules);
    programs.install(&compiled, |_| Ok(())).expect("install")
}

/// The tables of these rules for this guest.
pub fn compiled(rules: &str) -> Compiled {
    let signatures = Signatures::builtin();
    let policies = effective(rules);
    let superblocks = Mounts::read().expect("mounts").superblocks();
    let input = Input {
        policies: &policies,
        signatures: &signatures,
        host: &Principal::default(),
        superblocks: &superblocks,
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    };
    compile(&input).expect("compile")
}

/// One policy of these rules, enforced for every agent.
pub fn effective(rules: &str) -> Vec<Effective> {
    let text = format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: test\nspec:\n  rules:\n{rules}"
    );
    let loaded = tyr::policy::load("test.yaml", text.as_bytes(), &Default::default())
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let sources = loaded.policies.into_iter();
    sources
        .map(|source| Effective {
            policy: Arc::new(source.policy),
            version: 1,
            mode: Mode::Enforce,
            agent_types: Vec::new(),
        })
        .collect()
}

/// A rule that denies one action on a pattern.
pub fn deny(action: &str, pattern: &str) -> String {
    format!(
        "  - name: deny-{action}-{length}\n    action: {action}\n    resource_pattern: '{pattern}'\n    verdict: deny\n",
        length = pattern.len()
    )
}

/// Runs `body` in a child that is an agent; its result is an errno, 0 for success.
pub fn as_agent(body: impl FnOnce() -> i32) -> i32 {
    in_child(Some(&GUEST.programs), body)
}

/// Runs `body` in a child that is nobody's agent.
pub fn as_stranger(body: impl FnOnce() -> i32) -> i32 {
    in_child(None, body)
}

pub fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which are then owned.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

/// As an agent of other programs.
pub fn in_child_of(programs: &Programs, body: impl FnOnce() -> i32) -> i32 {
    in_child(Some(programs), body)
}

/// Makes a running process an agent.
pub fn tag(pid: i32) {
    tag_in(&GUEST.programs, pid);
}

pub fn tag_in(programs: &Programs, pid: i32) {
    let number = Signatures::builtin().number(AGENT).expect("a signature");
    let agent = RunningAgent {
        tgid: pid.cast_unsigned(),
        agent_type: u32::from(number),
    };
    programs.tag_process(agent).expect("tag");
}

/// Exit status of a program that a child runs.
pub fn run(path: &str, arguments: &[&str]) -> i32 {
    let texts: Vec<_> = arguments.iter().map(|text| c(*text)).collect();
    let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    crate::syscall::in_fork(|| {
        let environment = [std::ptr::null()];
        // SAFETY: lists end with null.
        errno(i64::from(unsafe {
            libc::execve(c(path).as_ptr(), pointers.as_ptr(), environment.as_ptr())
        }))
    })
}

/// What the records that `wanted` picks hold.
pub fn records<T>(wanted: impl Fn(&Record) -> Option<T>) -> Vec<T> {
    GUEST
        .records
        .lock()
        .unwrap()
        .iter()
        .filter_map(wanted)
        .collect()
}

fn in_child(programs: Option<&Programs>, body: impl FnOnce() -> i32) -> i32 {
    in_child_with(
        |pid| {
            if let Some(programs) = programs {
                tag_in(programs, pid);
            }
        },
        body,
    )
}

/// Runs `body` in a child after `tag` was called with its process id.
pub fn in_child_with(tag: impl FnOnce(i32), body: impl FnOnce() -> i32) -> i32 {
    let (go_read, go_write) = pipe();
    let (done_read, done_write) = pipe();
    // SAFETY: the child runs `body` and leaves by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let mut go = [0];
        std::fs::File::from(go_read).read_exact(&mut go).ok();
        // A panic must not unwind into the harness, which would go on in the child.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        let Ok(result) = result else {
            // SAFETY: ends the child.
            unsafe { libc::_exit(101) };
        };
        std::fs::File::from(done_write)
            .write_all(&result.to_ne_bytes())
            .ok();
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    drop(done_write);
    tag(pid);
    std::fs::File::from(go_write).write_all(b"g").expect("go");
    let mut result = [0; 4];
    let answered = std::fs::File::from(done_read).read_exact(&mut result);
    let mut status = 0;
    // SAFETY: `status` is valid; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    answered.unwrap_or_else(|error| panic!("child ended with status {status:#x}: {error}"));
    i32::from_ne_bytes(result)
}

/// 0 for a result that is no error, else errno.
pub fn errno(result: i64) -> i32 {
    if result >= 0 {
        0
    } else {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(-1)
    }
}

pub fn c(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).expect("no NUL")
}

/// A fresh folder for one test.
pub fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from("/tmp/vm").join(name);
    std::fs::remove_dir_all(&dir).ok();
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

pub fn fill(dir: &std::path::Path, names: &[&str]) {
    for name in names {
        std::fs::write(dir.join(name), "content").expect("a file");
    }
}

/// Waits for a decision that `wanted` picks.
pub fn decision(wanted: impl Fn(&Operation) -> bool) -> Operation {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let seen: Vec<Operation> = GUEST
            .records
            .lock()
            .unwrap()
            .iter()
            .filter_map(|record| match record {
                Record::Operation(_, operation) => Some(operation.clone()),
                _ => None,
            })
            .collect();
        if let Some(found) = seen.iter().find(|operation| wanted(operation)) {
            return found.clone();
        }
        assert!(Instant::now() < end, "no such record among {seen:#?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a denial of `path` on the host.
pub fn denied(path: &str) -> Operation {
    let mounts = Mounts::read().expect("mounts");
    decision(|operation| {
        let Object::File(place) = &operation.object else {
            return false;
        };
        operation.verdict == Verdict::Deny
            && mounts
                .host_path(place.dev, &place.path)
                .iter()
                .any(|host| host == path.as_bytes())
    })
}

pub fn counts() -> BTreeMap<&'static str, u64> {
    let counters = GUEST.programs.counters().expect("counters");
    BTreeMap::from([("denied", counters.denied), ("faults", counters.faults)])
}
