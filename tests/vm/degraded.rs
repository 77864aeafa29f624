//! fmod_ret: what is weaker there is counted and said.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use libc::EPERM;
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::object::EnforcementMode;

use crate::guest::*;
use crate::syscall::*;

const THREADS: usize = 8;
const ATTEMPTS: usize = 400;

/// Whether tasks may be interrupted inside the kernel, and programs with them.
fn is_preemptible() -> bool {
    let line = fs::read_to_string("/proc/cmdline").expect("the command line");
    line.split_whitespace().any(|word| word == "preempt=full")
}

fn pin_to_first_cpu() {
    // SAFETY: a set of zeros is a value, and its size is given.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        assert_eq!(
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
            0
        );
    }
}

/// A file whose path takes the programs long to walk.
fn deep_file() -> String {
    let mut path = folder("degraded");
    for _ in 0..14 {
        path.push("d".repeat(240));
    }
    fs::create_dir_all(&path).expect("deep folders");
    path.push("secret");
    fs::write(&path, "content").expect("a file");
    path.into_os_string().into_string().expect("ASCII")
}

#[test]
fn every_open_that_a_skipped_program_let_through_is_counted() {
    let _turn = policy(&deny("file_read", "/nowhere"));
    let path = deep_file();
    let options = LoadOptions {
        pin_dir: None,
        mode_limit: EnforcementMode::FmodRet,
        ..LoadOptions::default()
    };
    let programs = Programs::load(&options).expect("load");
    assert_eq!(
        programs.mode(),
        EnforcementMode::FmodRet,
        "{:?}",
        programs.limits()
    );
    install_in(&programs, &deny("file_read", "/tmp/vm/degraded/**"));
    assert_eq!(programs.misses().expect("counts"), BTreeMap::new());
    let allowed = in_child_of(&programs, || {
        let attempts = || {
            pin_to_first_cpu();
            (0..ATTEMPTS)
                .filter(|_| read(path.as_str()) != EPERM)
                .count()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(attempts)).collect();
            let allowed: usize = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum();
            i32::try_from(allowed).unwrap()
        })
    });
    let misses = programs.misses().expect("counts");
    let opens = misses.get("fmod_file_open").copied().unwrap_or(0);
    eprintln!(
        "{allowed} of {} opens were let through; skipped: {misses:?}",
        THREADS * ATTEMPTS
    );
    assert!(
        u64::from(allowed.cast_unsigned()) <= opens,
        "{allowed} opens, {misses:?}"
    );
    // One program at a time on each processor, unless it can be interrupted.
    assert_eq!(is_preemptible(), opens > 0, "{misses:?}");
}
