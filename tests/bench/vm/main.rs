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

use std::io::{PipeReader, PipeWriter, Read, Write};
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

impl Scenario {
    fn governs(self) -> bool {
        !matches!(self, Scenario::Bare | Scenario::Ungoverned)
    }
}

/// How many processes measure each scenario: the same code costs some of them fifty instructions
/// more in every call to the network, with Tyr and without, as memory falls.
pub(crate) const PROCESSES: usize = 3;

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
    operation::keep_program_in_memory();
    let scenarios = [Scenario::Bare, Scenario::Ungoverned]
        .into_iter()
        .chain(GOVERNED);
    let start = |scenario| (scenario, [(); PROCESSES].map(|()| Child::start()));
    let children: Vec<_> = scenarios.map(start).collect();
    let mut tyr = None;
    let mut rows = Vec::new();
    for (scenario, children) in children {
        if scenario != Scenario::Bare {
            tyr.get_or_insert_with(Tyr::load);
        }
        let governing = tyr.as_ref().filter(|_| scenario.governs());
        if let Some(tyr) = governing {
            tyr.govern(scenario);
        }
        let results = children.map(|child| child.measure(governing));
        rows.push(Row::new(scenario, least(&results)));
        if let Some(tyr) = governing {
            tyr.check(scenario);
        }
    }
    report::print(&rows);
    if let Some(file) = output {
        std::fs::write(&file, report::json(&rows)).expect("the results file");
    }
    report::judge(&rows)
}

/// The least of every operation.
fn least(results: &[Vec<f64>]) -> Vec<f64> {
    let least_of = |index: usize| results.iter().map(move |values| values[index]);
    (0..OPERATIONS.len())
        .map(|index| least_of(index).fold(f64::INFINITY, f64::min))
        .collect()
}

/// The C library does more in every open once the process had a second thread, and loading Tyr
/// starts one: its cost must not count as Tyr's.
fn start_thread() {
    std::thread::spawn(|| ()).join().expect("a thread");
}

/// A process that measures. All are made before Tyr is loaded: its descriptors, which every fork
/// copies and every exec closes, are in none of them.
struct Child {
    pid: libc::pid_t,
    go: PipeWriter,
    done: PipeReader,
}

impl Child {
    fn start() -> Child {
        let (mut go_read, go) = std::io::pipe().expect("a pipe");
        let (done, mut done_write) = std::io::pipe().expect("a pipe");
        // SAFETY: the child measures and leaves by _exit.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            drop((go, done));
            let body = || {
                // SAFETY: takes no pointer. Programs are mapped at the same addresses every time.
                unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
                let mut governed = [0];
                go_read.read_exact(&mut governed).expect("its turn");
                let bench = Bench::new();
                done_write.write_all(b"r").expect("ready");
                go_read.read_exact(&mut governed).expect("go");
                assert_eq!(bench.is_denied(), governed == [1], "who is governed");
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
        Child { pid, go, done }
    }

    /// Runs all operations, as an agent when there is a Tyr to govern it.
    fn measure(mut self, tyr: Option<&Tyr>) -> Vec<f64> {
        self.go.write_all(&[0]).expect("its turn");
        self.done.read_exact(&mut [0]).expect("ready");
        if let Some(tyr) = tyr {
            tyr.tag(self.pid.cast_unsigned());
        }
        self.go.write_all(&[u8::from(tyr.is_some())]).expect("go");
        let mut bytes = vec![0; OPERATIONS.len() * 8];
        self.done.read_exact(&mut bytes).expect("results");
        let mut status = 0;
        // SAFETY: `status` is valid; the child is ours.
        unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(status, 0, "the child");
        bytes
            .chunks_exact(8)
            .map(|value| f64::from_ne_bytes(value.try_into().expect("8 bytes")))
            .collect()
    }
}
