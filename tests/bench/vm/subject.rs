//! Tyr as the daemon runs it: its programs, its reader of the ring buffer, and policies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tyr::kernel::counters::Counters;
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::mounts::Mounts;
use tyr::kernel::object::EnforcementMode;
use tyr::kernel::record::Record;
use tyr::kernel::ringbuf::RingReader;
use tyr::kernel::tagging::RunningAgent;
use tyr::model::action::Action;
use tyr::model::verdict::{Mode, Severity, Verdict};
use tyr::policy::compile::{Input, compile};
use tyr::policy::network::AddressMatch;
use tyr::policy::pattern::Pattern;
use tyr::policy::principal::Principal;
use tyr::policy::rule::{Effective, Match, Policy, Rule};
use tyr::policy::signatures::Signatures;

use super::globs::glob_of;
use super::operation::{FORBIDDEN, OPERATIONS, Operation};
use super::{PROCESSES, Scenario};

const AGENT: &str = "claude-code";
/// How often the daemon gives records back.
const BATCH_TIME: Duration = Duration::from_millis(250);
/// Time for the last records to be read; nothing else runs then.
const SETTLE: Duration = Duration::from_millis(600);

pub(crate) struct Tyr {
    programs: Arc<Programs>,
    /// Decisions that left a record.
    records: Arc<AtomicU64>,
    before: Mutex<(Counters, u64)>,
}

impl Tyr {
    pub(crate) fn load() -> Tyr {
        let options = LoadOptions {
            pin_dir: None,
            scope: None,
            mode_limit: EnforcementMode::Lsm,
        };
        let programs = Arc::new(Programs::load(&options).expect("load"));
        let (mode, limits) = (programs.mode(), programs.limits());
        assert_eq!(mode, EnforcementMode::Lsm, "{limits:?}");
        let records = Arc::new(AtomicU64::new(0));
        let (reader, count) = (Arc::clone(&programs), Arc::clone(&records));
        thread::spawn(move || read(&reader, &count));
        let tyr = Tyr {
            programs,
            records,
            before: Mutex::default(),
        };
        tyr.govern(Scenario::Silent(1));
        tyr
    }

    /// Puts a policy in force and begins to count.
    pub(crate) fn govern(&self, scenario: Scenario) {
        let (rules, unmatched_is_silent) = match scenario {
            Scenario::Silent(rules) => (rules, true),
            Scenario::Event(rules) => (rules, false),
            Scenario::Bare | Scenario::Ungoverned => unreachable!("nothing is governed"),
        };
        let superblocks = Mounts::read().expect("mounts").superblocks();
        let compiled = compile(&Input {
            policies: &[policy(rules)],
            signatures: &Signatures::builtin(),
            host: &Principal::default(),
            superblocks: &superblocks,
            slots: &[],
            moment: None,
            unmatched_is_silent,
        })
        .expect("compile");
        self.programs
            .install(&compiled, |_| Ok(()))
            .expect("install");
        *self.before.lock().expect("one thread") = self.counts();
    }

    pub(crate) fn tag(&self, tgid: u32) {
        let number = Signatures::builtin().number(AGENT).expect("a signature");
        let agent = RunningAgent {
            tgid,
            agent_type: u32::from(number),
        };
        self.programs.tag_process(agent).expect("tag");
    }

    fn counts(&self) -> (Counters, u64) {
        thread::sleep(SETTLE);
        let counters = self.programs.counters().expect("counters");
        (counters, self.records.load(Ordering::Relaxed))
    }

    /// Panics unless everything was decided, one denial was seen, and exactly those events came
    /// that had to.
    pub(crate) fn check(&self, scenario: Scenario) {
        let (was, read_before) = *self.before.lock().expect("one thread");
        let (is, read) = self.counts();
        let records = read - read_before;
        let runs: u64 = OPERATIONS
            .into_iter()
            .filter(|operation| *operation != Operation::Getppid)
            .map(Operation::runs)
            .sum::<u64>()
            * PROCESSES as u64;
        let judged = |counts: &Counters| counts.decisions + counts.remembered;
        assert!(judged(&is) - judged(&was) >= runs, "{was:?} {is:?}");
        let denials = PROCESSES as u64;
        assert_eq!(is.denied - was.denied, denials, "the forbidden file");
        assert_eq!((is.faults, is.events_lost), (0, 0), "{is:?}");
        match scenario {
            Scenario::Event(_) => assert!(records >= runs, "{records} records of {runs}"),
            _ => assert_eq!(records, denials, "the denials alone leave records"),
        }
    }
}

/// Counts records, and gives them back as the daemon does: batch by batch. Unlike the daemon it does
/// not look for more every few milliseconds in between: there is one CPU, and interrupts of that
/// timer would be counted as part of whatever runs. What the daemon's looking costs is not in the
/// figures.
fn read(programs: &Programs, count: &AtomicU64) -> ! {
    let mut reader = RingReader::open(programs).expect("the ring buffer");
    let mut batch = Instant::now();
    loop {
        while let Some((_, record)) = reader.next() {
            if let Record::Operation(..) = record.expect("a record of this version") {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        if batch.elapsed() >= BATCH_TIME {
            let position = reader.position();
            reader.commit(position);
            batch = Instant::now();
        }
        if reader.pending_bytes() == 0 {
            reader.wait(BATCH_TIME).expect("the ring buffer");
        } else {
            thread::sleep(BATCH_TIME);
        }
    }
}

/// `count` rules of every action that the operations need, none of which matches any of them, and
/// one that denies a file.
fn policy(count: usize) -> Effective {
    let pattern = |text: &str| Match::Path(vec![Pattern::parse(text).expect("a valid pattern")]);
    let range = |index: usize| {
        let [high, low] = (index as u16).to_be_bytes();
        let text = format!("10.{high}.{low}.0/24");
        let deny = vec![text.parse().expect("a network")];
        Match::Address(AddressMatch::new(Verdict::Deny, Vec::new(), deny))
    };
    let mut rules = vec![rule(Action::FileRead, pattern(FORBIDDEN))];
    for index in 0..count {
        for action in [Action::FileRead, Action::FileWrite, Action::Exec] {
            rules.push(rule(action, pattern(&glob_of(index))));
        }
        rules.push(rule(Action::NetConnect, range(index)));
    }
    Effective {
        policy: Arc::new(Policy {
            name: "bench".to_owned(),
            description: String::new(),
            labels: BTreeMap::new(),
            rules,
            disabled: Vec::new(),
        }),
        version: 1,
        mode: Mode::Enforce,
        agent_types: Vec::new(),
    }
}

fn rule(action: Action, matches: Match) -> Rule {
    Rule {
        name: format!("deny-{}", action.name()),
        action,
        verdict: Verdict::Deny,
        severity: Severity::High,
        binaries: Vec::new(),
        agent_types: Vec::new(),
        matches,
        condition: None,
        description: String::new(),
        line: 0,
    }
}
