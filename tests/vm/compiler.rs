//! The policy compiler runs beside agents of root that want to say what it answers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::{EACCES, ENOENT, ENXIO, EPERM, ESRCH};
use tyr::daemon::compiler::{Compiler, NAME};
use tyr::policy::compile::{Input, compile};
use tyr::policy::principal::Principal;

use crate::daemon::executable;
use crate::guest::*;
use crate::probe::shared;
use crate::syscall::*;

/// What an attacker has done.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    met: AtomicU64,
    /// Its memory, its signals or its limits.
    reached: AtomicU64,
    /// What it speaks over.
    joined: AtomicU64,
    /// Errors that mean neither yes nor no.
    odd: AtomicU64,
}

impl Seen {
    fn count(&self, error: i32, reached: &AtomicU64) {
        let counter = match error {
            0 => reached,
            EPERM | EACCES | ENOENT | ENXIO | ESRCH => return,
            _ => &self.odd,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tries everything on every compiler that it meets.
fn attack(seen: &Seen) -> i32 {
    let end = Instant::now() + Duration::from_secs(240);
    while !seen.stop.load(Ordering::SeqCst) && Instant::now() < end {
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let called = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if called.strip_suffix(b"\0") != Some(NAME.as_bytes()) {
                continue;
            }
            seen.met.fetch_add(1, Ordering::SeqCst);
            for fd in 0..3 {
                let path = format!("/proc/{pid}/fd/{fd}");
                seen.count(open(path.as_str(), libc::O_WRONLY), &seen.joined);
                seen.count(open(path.as_str(), libc::O_RDONLY), &seen.joined);
            }
            let memory = format!("/proc/{pid}/mem");
            seen.count(open(memory.as_str(), libc::O_RDWR), &seen.reached);
            seen.count(call!(libc::kill(pid, libc::SIGCONT)), &seen.reached);
            let limit = libc::rlimit {
                rlim_cur: 299,
                rlim_max: 300,
            };
            let limited = call!(libc::prlimit(
                pid,
                libc::RLIMIT_CPU,
                &raw const limit,
                std::ptr::null_mut()
            ));
            seen.count(limited, &seen.reached);
        }
    }
    0
}

/// Compiles often enough for an attacker to meet some compilers.
fn compile_until_met(seen: &Seen) {
    let compiler = Compiler::at(&executable());
    let rules: String = (0..60)
        .map(|number| deny("file_read", &format!("/srv/**/x{number}/*.key")))
        .enumerate()
        .map(|(number, rule)| rule.replace("- name: ", &format!("- name: n{number}-")))
        .collect();
    let policies = effective(&rules);
    let input = Input {
        policies: &policies,
        signatures: &GUEST.signatures,
        host: &Principal::default(),
        superblocks: &[],
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    };
    let expected = compile(&input).expect("tables");
    let end = Instant::now() + Duration::from_secs(200);
    while seen.met.load(Ordering::SeqCst) < 5 && Instant::now() < end {
        let found = compiler.compile(&input).expect("tables");
        assert!(found == expected);
    }
    seen.stop.store(true, Ordering::SeqCst);
}

#[test]
fn a_governed_root_reaches_no_compiler() {
    let _turn = policy(&deny("file_read", "/nowhere"));
    for is_governed in [false, true] {
        let seen = shared::<Seen>();
        thread::scope(|scope| {
            scope.spawn(|| compile_until_met(seen));
            let ended = if is_governed {
                as_agent(|| attack(seen))
            } else {
                as_stranger(|| attack(seen))
            };
            assert_eq!(ended, 0);
        });
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        assert!(count(&seen.met) >= 5, "it met a compiler");
        assert_eq!(count(&seen.odd), 0);
        assert_eq!(count(&seen.joined), 0, "no end of a socket is opened again");
        if is_governed {
            assert_eq!(count(&seen.reached), 0);
        } else {
            assert!(count(&seen.reached) > 0, "who is not governed may");
        }
    }
}
