//! Nanoseconds per decision, natively: the decision program under `BPF_PROG_TEST_RUN`, for policies
//! of 1 to 10,000 rules and paths of 20 to 300 bytes, next to a scan of the same globs one by one.
//! Exits with 1 when the cost grows with the number of rules or a byte costs too much.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tyr::kernel::decide::{DecideEngine, Question};
use tyr::model::action::Action;
use tyr::model::verdict::{Mode, Severity, Verdict};
use tyr::policy::compile::{Compiled, Input, Target, compile};
use tyr::policy::pattern::Pattern;
use tyr::policy::principal::Principal;
use tyr::policy::rule::{Effective, Match, Policy, Rule};
use tyr::policy::signatures::Signatures;

mod globs;

use globs::{WORDS, glob_of};

const RULES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const LENGTHS: [usize; 5] = [20, 41, 100, 200, 300];
/// Runs in one call of the kernel, and calls of which the quickest counts: others share the
/// machine.
const REPEAT: u32 = 20_000;
const CALLS: usize = 15;
/// 10,000 rules may cost this much of 10.
const GROWTH_MAX: f64 = 1.3;
const NS_PER_BYTE_MAX: f64 = 5.0;

/// A policy of `count` rules, its tables, and its globs for the scan.
struct Subject {
    count: usize,
    tables: Compiled,
    compiled_in: Duration,
    globs: Vec<glob::Pattern>,
}

fn compile_globs(globs: &[String]) -> Compiled {
    let rules = globs
        .iter()
        .map(|glob| Rule {
            name: glob.clone(),
            description: String::new(),
            action: Action::FileRead,
            verdict: Verdict::Deny,
            severity: Severity::High,
            binaries: Vec::new(),
            agent_types: Vec::new(),
            matches: Match::Path(vec![Pattern::parse(glob).expect("a valid pattern")]),
            condition: None,
            line: 0,
        })
        .collect();
    let policy = Policy {
        name: "bench".to_owned(),
        description: String::new(),
        labels: BTreeMap::new(),
        rules,
        disabled: Vec::new(),
    };
    let policies = [Effective {
        policy: Arc::new(policy),
        version: 1,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    }];
    let signatures = Signatures::builtin();
    compile(&Input {
        policies: &policies,
        signatures: &signatures,
        host: &Principal::default(),
        superblocks: &[],
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    })
    .expect("compiles")
}

impl Subject {
    fn new(count: usize) -> Subject {
        let globs: Vec<String> = (0..count).map(glob_of).collect();
        let begun = Instant::now();
        let tables = compile_globs(&globs);
        let compiled_in = begun.elapsed();
        let globs = globs
            .iter()
            .map(|glob| glob::Pattern::new(glob).expect("a valid glob"))
            .collect();
        Subject {
            count,
            tables,
            compiled_in,
            globs,
        }
    }

    /// Nanoseconds of one decision by the kernel program.
    fn kernel_ns(&self, engine: &mut DecideEngine, path: &[u8]) -> f64 {
        let question = Question {
            slot: self.tables.unknown_slot,
            exe: Target::Unknown,
            action: Action::FileRead,
            object: Target::Path(path),
        };
        let answer = engine.ask(&[question]).expect("answers")[0];
        assert_eq!(
            answer.cell.verdict,
            Verdict::Allow,
            "the path must lie under no rule"
        );
        let times = (0..CALLS).map(|_| engine.time(&question, REPEAT).expect("runs"));
        times.min().unwrap_or_default().as_nanos() as f64
    }

    /// Nanoseconds of asking every glob.
    fn scan_ns(&self, path: &str) -> f64 {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        let repeat = (20_000 / self.count).max(2);
        let once = || {
            let begun = Instant::now();
            for _ in 0..repeat {
                let found = self
                    .globs
                    .iter()
                    .any(|glob| glob.matches_with(black_box(path), options));
                assert!(!black_box(found), "the path must lie under no rule");
            }
            begun.elapsed().as_nanos() as f64 / repeat as f64
        };
        (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
    }

    /// Bytes that a walk reads before it may stop.
    fn read_before_stop(&self, path: &[u8]) -> usize {
        let start = self.tables.path_starts[Action::FileRead as usize];
        let stops = |length: &usize| {
            self.tables
                .paths
                .is_absorbing(self.tables.paths.walk(start, &path[..*length]))
        };
        (0..=path.len()).find(stops).unwrap_or(path.len())
    }
}

/// An ordinary path of exactly `length` bytes.
fn path_of(length: usize) -> String {
    let mut path = String::from("/home/ann/src");
    for word in WORDS.iter().cycle() {
        path.push('/');
        path.push_str(word);
        if path.len() > length {
            break;
        }
    }
    path.truncate(length - 1);
    path.push('x');
    path
}

fn print_row(label: &str, values: impl Iterator<Item = f64>) {
    print!("{label:>24}");
    values.for_each(|value| print!("{value:>11.0}"));
    println!();
}

fn main() -> ExitCode {
    let mut engine = DecideEngine::new().expect("root, and a kernel that runs test programs");
    let nothing = (0..CALLS)
        .map(|_| engine.time_nothing(REPEAT).expect("runs"))
        .min();
    println!(
        "an empty program: {} ns\n",
        nothing.unwrap_or_default().as_nanos()
    );
    let subjects: Vec<Subject> = RULES.into_iter().map(Subject::new).collect();
    for subject in &subjects {
        let tables = &subject.tables;
        println!(
            "{:>6} rules: compiled in {:.2} s, {} states of {} built, {} byte classes, {} KiB",
            subject.count,
            subject.compiled_in.as_secs_f64(),
            tables.paths.labels.len(),
            tables.states_built,
            tables.paths.columns,
            (tables.paths.next.len() + tables.paths.labels.len()) / 256,
        );
    }
    println!("\nns per decision, kernel program; every byte of the path is read");
    print!("{:>24}", "rules \\ path bytes");
    LENGTHS.iter().for_each(|length| print!("{length:>11}"));
    println!();
    let mut measured = Vec::new();
    for subject in &subjects {
        engine.install(&subject.tables).expect("fits the kernel");
        let row = LENGTHS.map(|length| {
            let path = path_of(length);
            assert_eq!(
                subject.read_before_stop(path.as_bytes()),
                length,
                "cut short"
            );
            subject.kernel_ns(&mut engine, path.as_bytes())
        });
        print_row(&subject.count.to_string(), row.into_iter());
        measured.push(row);
    }
    println!("\nns per decision, asking every glob in turn (user space)");
    for subject in &subjects {
        let row = LENGTHS.map(|length| subject.scan_ns(&path_of(length)));
        print_row(&subject.count.to_string(), row.into_iter());
    }
    print_decided_early(&mut engine);
    judge(&measured)
}

/// Without globs that may match anywhere, most paths are decided after a few bytes.
fn print_decided_early(engine: &mut DecideEngine) {
    let globs: Vec<String> = (0..12_500)
        .filter(|index| index % 5 != 0)
        .map(glob_of)
        .collect();
    let subject = Subject {
        count: globs.len(),
        tables: compile_globs(&globs),
        compiled_in: Duration::ZERO,
        globs: Vec::new(),
    };
    engine.install(&subject.tables).expect("fits the kernel");
    println!(
        "\nns per decision, {} anchored rules; the walk stops early",
        subject.count
    );
    for length in LENGTHS {
        let path = path_of(length).replacen("/home/ann/src", "/opt/tool/lib", 1);
        let read = subject.read_before_stop(path.as_bytes());
        let ns = subject.kernel_ns(engine, path.as_bytes());
        println!("{length:>24}{ns:>11.0}   {read} bytes read");
    }
}

fn judge(measured: &[[f64; LENGTHS.len()]]) -> ExitCode {
    let mut good = true;
    println!();
    for (index, length) in LENGTHS.into_iter().enumerate() {
        let growth = measured[4][index] / measured[1][index];
        let verdict = if growth <= GROWTH_MAX {
            "ok"
        } else {
            "TOO MUCH"
        };
        good &= growth <= GROWTH_MAX;
        println!(
            "{length:>4} bytes: 10,000 rules cost {growth:.2} times 10 rules (at most {GROWTH_MAX}): {verdict}"
        );
    }
    for (rules, row) in RULES.into_iter().zip(measured) {
        let bytes = LENGTHS[4] as f64;
        let slope = (row[4] - row[0]) / (bytes - LENGTHS[0] as f64);
        let whole = row[4] / bytes;
        let verdict = if slope.max(whole) < NS_PER_BYTE_MAX {
            "ok"
        } else {
            "TOO MUCH"
        };
        good &= slope.max(whole) < NS_PER_BYTE_MAX;
        println!(
            "{rules:>6} rules: {slope:.2} ns for a further byte, {whole:.2} ns a byte in all (below {NS_PER_BYTE_MAX}): {verdict}"
        );
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
