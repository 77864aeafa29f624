//! Self-protection: what no policy may allow an agent, root or not. Each attack works for somebody
//! who is not governed.

mod kernel;

use libc::EPERM;
use tyr::kernel::own::OwnRule;
use tyr::kernel::record::{Object, Operation, Reason};

use crate::guest::*;
use crate::syscall::*;

/// A process that does nothing until it is dropped.
struct Victim(i32);

impl Victim {
    /// Neither Tyr's nor an agent's.
    fn plain() -> Victim {
        // SAFETY: the child only waits to be killed.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                loop {
                    libc::pause();
                }
            }
            Victim(pid)
        }
    }

    /// Of an unprivileged user.
    fn of_user(uid: u32) -> Victim {
        let (ready, done) = pipe();
        // SAFETY: the child only waits to be killed.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::setresuid(uid, uid, uid);
                drop(done);
                loop {
                    libc::pause();
                }
            }
            pid
        };
        drop(done);
        use std::io::Read;
        std::fs::File::from(ready)
            .read_to_end(&mut Vec::new())
            .expect("the end of the pipe");
        Victim(pid)
    }

    /// One of Tyr's own.
    fn own() -> Victim {
        let victim = Victim::plain();
        GUEST
            .programs
            .protect_process(victim.0.cast_unsigned())
            .expect("protect");
        victim
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SAFETY: a child of this test, not waited for yet.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        wait(self.0);
    }
}

const NOTHING: &str =
    "  - name: nothing\n    action: exec\n    resource_pattern: /nowhere\n    verdict: deny\n";

/// Runs each way as somebody else, where it must not be refused, then as an agent.
fn refused(ways: &[(&str, Way<'_>)]) {
    for (name, way) in ways {
        assert_ne!(as_stranger(way), EPERM, "{name}: denied to a stranger");
        assert_eq!(as_agent(way), EPERM, "{name}");
    }
    assert_eq!(counts()["faults"], 0);
}

/// Ways that an agent keeps.
fn free(ways: &[(&str, Way<'_>)]) {
    for (name, way) in ways {
        assert_eq!(as_stranger(way), 0, "{name}: for a stranger");
        assert_eq!(as_agent(way), 0, "{name}");
    }
}

/// Waits for the record of a denial by one rule.
fn refusal(rule: OwnRule) -> Operation {
    decision(|operation| operation.reason == Reason::Own(rule))
}

fn pidfd(pid: i32) -> i64 {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }
}

fn raw(number: i64, arguments: [i64; 4]) -> i32 {
    let [a, b, c, d] = arguments;
    call!(libc::syscall(number, a, b, c, d))
}

fn sigio(pid: i32) -> i32 {
    let (mut ends, owner) = ([0; 2], pid);
    // SAFETY: room for two descriptors.
    unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr());
        libc::fcntl(ends[0], libc::F_SETOWN, owner);
        libc::fcntl(ends[0], libc::F_SETFL, libc::O_ASYNC);
        libc::write(ends[1], c"x".as_ptr().cast(), 1);
    }
    0
}

fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with(['S', 'R']))
}

#[test]
fn nothing_of_tyrs_is_signalled() {
    let _turn = policy(NOTHING);
    let own = Victim::own();
    let pid = own.0;
    let info = [0u64; 16];
    let ways: [(&str, Way<'_>); 6] = [
        ("kill", Box::new(|| call!(libc::kill(pid, libc::SIGCONT)))),
        (
            "tgkill",
            Box::new(|| raw(libc::SYS_tgkill, [pid.into(), pid.into(), 18, 0])),
        ),
        (
            "tkill",
            Box::new(|| raw(libc::SYS_tkill, [pid.into(), 18, 0, 0])),
        ),
        (
            "rt_sigqueueinfo",
            Box::new(|| {
                let mut info = info;
                info[0] = 18;
                info[1] = 0xffff_ffff; // SI_QUEUE
                raw(
                    libc::SYS_rt_sigqueueinfo,
                    [pid.into(), 18, info.as_ptr() as i64, 0],
                )
            }),
        ),
        (
            "pidfd_send_signal",
            Box::new(|| raw(libc::SYS_pidfd_send_signal, [pidfd(pid), 18, 0, 0])),
        ),
        ("init", Box::new(|| call!(libc::kill(1, libc::SIGCONT)))),
    ];
    refused(&ways);
    // Only whether it is there.
    free(&[("signal 0", Box::new(|| call!(libc::kill(pid, 0))))]);
    let seen = refusal(OwnRule::Signal);
    let Object::Act(act) = &seen.object else {
        panic!("{seen:?}");
    };
    assert_eq!(
        (act.argument, act.tgid),
        (18, u64::from(pid.cast_unsigned()))
    );
    for signal in [libc::SIGKILL, libc::SIGSTOP, libc::SIGTERM] {
        assert_eq!(as_agent(|| call!(libc::kill(pid, signal))), EPERM);
    }
    assert!(is_running(pid));
    as_agent(|| sigio(pid));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(is_running(pid), "a signal that came with data");
    let aside = Victim::plain();
    as_agent(|| sigio(aside.0));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(is_running(aside.0), "of a process that did not ask for it");
    let plain = Victim::plain();
    as_stranger(|| sigio(plain.0));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!is_running(plain.0), "it is what ends another process");
}

#[test]
fn a_number_that_is_used_again_is_nobodys() {
    let _turn = policy(NOTHING);
    let first = Victim::own();
    let ended = first.0;
    drop(first);
    // The entry is still there until the next process is protected.
    let again = Victim::plain();
    assert_eq!(as_stranger(|| call!(libc::kill(again.0, libc::SIGCONT))), 0);
    let _second = Victim::own();
    assert_ne!(ended, again.0);
}

#[test]
fn signals_stay_in_the_session() {
    let _turn = policy(NOTHING);
    let (root, user) = (Victim::plain(), Victim::of_user(1001));
    let other = Victim::of_user(1001);
    tag(other.0);
    let stop = |pid: i32| call!(libc::kill(pid, libc::SIGCONT));
    assert_eq!(as_agent(|| stop(root.0)), EPERM, "root to root's process");
    assert_eq!(as_agent(|| stop(user.0)), EPERM, "root to a user's process");
    let as_user = |pid: i32| {
        as_agent(move || {
            // SAFETY: no pointers.
            unsafe { libc::setresuid(1001, 1001, 1001) };
            stop(pid)
        })
    };
    assert_eq!(as_user(user.0), 0, "as any program of that user may");
    assert_eq!(as_user(other.0), EPERM, "another agent");
    let own_child = as_agent(|| {
        let child = Victim::plain();
        let errors = [
            stop(child.0),
            call!(libc::kill(0, libc::SIGCONT)),
            call!(libc::kill(child.0, libc::SIGTERM)),
        ];
        errors.iter().sum()
    });
    assert_eq!(own_child, 0, "a child of its own");
}

fn attach(pid: i32) -> i32 {
    raw(
        libc::SYS_ptrace,
        [i64::from(libc::PTRACE_SEIZE), pid.into(), 0, 0],
    )
}

/// Writes a word that a forked child has at the same place.
fn write_memory(pid: i32) -> i32 {
    static WORD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(7);
    let vector = libc::iovec {
        iov_base: WORD.as_ptr().cast(),
        iov_len: 8,
    };
    let (from, to) = (&raw const vector, &raw const vector);
    // SAFETY: both vectors live through the call; the word of the other process is of no use.
    errno(unsafe { libc::process_vm_writev(pid, from, 1, to, 1, 0) } as i64)
}

#[test]
fn nothing_outside_the_session_is_traced() {
    let _turn = policy(NOTHING);
    let (own, plain, other) = (Victim::own(), Victim::plain(), Victim::plain());
    tag(other.0);
    for (who, pid) in [("tyr", own.0), ("plain", plain.0), ("agent", other.0)] {
        let ways: [(&str, Way<'_>); 4] = [
            ("ptrace", Box::new(move || attach(pid))),
            ("process_vm_writev", Box::new(move || write_memory(pid))),
            (
                "mem",
                Box::new(move || open(format!("/proc/{pid}/mem"), libc::O_RDWR)),
            ),
            (
                "pidfd_getfd",
                Box::new(move || raw(libc::SYS_pidfd_getfd, [pidfd(pid), 0, 0, 0])),
            ),
        ];
        for (name, way) in &ways {
            assert_ne!(as_stranger(way), EPERM, "{name} of {who}: for a stranger");
            let error = as_agent(way);
            assert!(
                error == EPERM || error == libc::EACCES,
                "{name} of {who}: {error}"
            );
        }
    }
    let look = |pid: i32| open(format!("/proc/{pid}/environ"), libc::O_RDONLY);
    assert_eq!(as_stranger(|| look(own.0)), 0);
    assert_eq!(
        as_agent(|| look(own.0)),
        libc::EACCES,
        "the environment of tyr"
    );
    assert_eq!(as_agent(|| look(plain.0)), 0, "that is for policies to say");
    let own_child = as_agent(|| {
        let child = Victim::plain();
        attach(child.0) + write_memory(child.0)
    });
    assert_eq!(own_child, 0, "a debugger for its own child");
    refusal(OwnRule::Trace);
}

#[test]
fn a_process_that_is_not_governed_is_not_traced_by_one_that_is() {
    let _turn = policy(NOTHING);
    let traceme = || in_fork(|| raw(libc::SYS_ptrace, [i64::from(libc::PTRACE_TRACEME), 0, 0, 0]));
    assert_eq!((as_stranger(traceme), as_agent(traceme)), (0, 0));
}

#[test]
fn nothing_of_tyrs_is_starved() {
    let _turn = policy(NOTHING);
    let own = Victim::own();
    let pid = own.0;
    let limit = libc::rlimit {
        rlim_cur: 1 << 30,
        rlim_max: 1 << 30,
    };
    let at = &raw const limit as i64;
    let nice = move |pid: i32| {
        call!(libc::setpriority(
            libc::PRIO_PROCESS,
            pid.cast_unsigned(),
            1
        ))
    };
    let ways: [(&str, Way<'_>); 4] = [
        (
            "prlimit",
            Box::new(|| {
                raw(
                    libc::SYS_prlimit64,
                    [pid.into(), i64::from(libc::RLIMIT_CORE), at, 0],
                )
            }),
        ),
        (
            "scheduler",
            Box::new(|| {
                let parameter = 0i32;
                let at = &raw const parameter as i64;
                raw(
                    libc::SYS_sched_setscheduler,
                    [pid.into(), i64::from(libc::SCHED_OTHER), at, 0],
                )
            }),
        ),
        ("nice", Box::new(move || nice(pid))),
        (
            "ionice",
            Box::new(|| raw(libc::SYS_ioprio_set, [1, pid.into(), 2 << 13 | 7, 0])),
        ),
    ];
    refused(&ways);
    free(&[
        ("its own nice", Box::new(move || nice(0))),
        (
            "its own limits",
            Box::new(|| call!(libc::setrlimit(libc::RLIMIT_CORE, &raw const limit))),
        ),
    ]);
    refusal(OwnRule::Setting);
}
