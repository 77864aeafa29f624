//! Instructions per operation, without Tyr and under policies of 1 to 1,000 rules. Runs as root in
//! a virtual machine whose clock counts instructions (`make bench-vm`), so a nanosecond is one.
//! Exits with 1 when an operation costs more than its budget.
//!
//!   instructions [--output FILE]     also writes the figures as JSON

#![allow(unsafe_code, reason = "the operations are system calls")]

#[path = "../globs.rs"]
mod globs;
mod operation;
mod report;
mod subject;

use std::io::{Read, Write};
use std::process::ExitCode;

use operation::{Bench, OPERATIONS};
use report::Row;
use subject::Tyr;

/// Rules of each action, and whether operations that match none leave an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Bare,
    Ungoverned,
    Silent(usize),
    Event(usize),
}

const GOVERNED: [Scenario; 5] = [
    Scenario::Silent(1),
    Scenario::Silent(10),
    Scenario::Silent(100),
    Scenario::Silent(1_000),
    Scenario::Event(100),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let output = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => None,
        (Some("--output"), Some(file)) => Some(file),
        _ => {
            eprintln!("usage: instructions [--output FILE]");
            return ExitCode::from(2);
        }
    };
    start_thread();
    let mut rows = vec![Row::new(Scenario::Bare, in_child(None))];
    let tyr = Tyr::load();
    rows.push(Row::new(Scenario::Ungoverned, in_child(None)));
    for scenario in GOVERNED {
        tyr.govern(scenario);
        rows.push(Row::new(scenario, in_child(Some(&tyr))));
        tyr.check(scenario);
    }
    report::print(&rows);
    if let Some(file) = output {
        std::fs::write(&file, report::json(&rows)).expect("the results file");
    }
    report::judge(&rows)
}

/// The C library does more in every open once the process had a second thread, and loading Tyr
/// starts one: its cost must not count as Tyr's.
fn start_thread() {
    std::thread::spawn(|| ()).join().expect("a thread");
}

/// Runs all operations in a child, as an agent when there is a Tyr to govern it.
fn in_child(tyr: Option<&Tyr>) -> Vec<f64> {
    let bench = Bench::new();
    let (mut go_read, mut go_write) = std::io::pipe().expect("a pipe");
    let (mut done_read, mut done_write) = std::io::pipe().expect("a pipe");
    // SAFETY: the child measures and leaves by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let body = || {
            // SAFETY: takes no pointer. Programs are mapped at the same addresses every time.
            unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
            go_read.read_exact(&mut [0]).expect("go");
            assert_eq!(bench.is_denied(), tyr.is_some(), "who is governed");
            for value in bench.measure() {
                done_write
                    .write_all(&value.to_ne_bytes())
                    .expect("a result");
            }
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    drop(done_write);
    if let Some(tyr) = tyr {
        tyr.tag(pid.cast_unsigned());
    }
    go_write.write_all(b"g").expect("go");
    let mut bytes = Vec::new();
    done_read.read_to_end(&mut bytes).expect("results");
    let mut status = 0;
    // SAFETY: `status` is valid; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(
        (status, bytes.len()),
        (0, OPERATIONS.len() * 8),
        "the child"
    );
    bytes
        .chunks_exact(8)
        .map(|value| f64::from_ne_bytes(value.try_into().expect("8 bytes")))
        .collect()
}
