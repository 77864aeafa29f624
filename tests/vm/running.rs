//! Agents that ran before the programs did: nested ones, and those that fork while they are tagged.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::EPERM;
use tyr::kernel::abi::TYR_TASK_AGENT;
use tyr::kernel::tagging::NestedAgent;

use crate::guest::*;
use crate::probe::shared;
use crate::syscall::*;

const SECRET: &str = "/tmp/vm/running/secret";

fn setting() -> Turn {
    fill(&folder("running"), &["secret"]);
    policy(&deny("file_read", SECRET))
}

fn number(id: &str) -> u32 {
    u32::from(GUEST.signatures.number(id).expect("a signature"))
}

/// Forks; the child runs `body` and ends.
fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: the child leaves by _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            body();
            libc::_exit(0);
        }
        pid
    }
}

fn sleep_until(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Default)]
struct Nest {
    inner: AtomicU32,
    innermost: AtomicU32,
    go: AtomicBool,
    answers: [AtomicU32; 3],
}

#[test]
fn agents_inside_agents_have_the_rules_of_all() {
    let _turn = setting();
    let nest: &'static Nest = shared();
    let answer = |place: usize| {
        sleep_until(&nest.go);
        nest.answers[place].store(read(SECRET).cast_unsigned(), Ordering::SeqCst);
    };
    let outer = fork(|| {
        let inner = fork(|| {
            let innermost = fork(|| answer(2));
            nest.innermost
                .store(innermost.cast_unsigned(), Ordering::SeqCst);
            answer(1);
            wait(innermost);
        });
        nest.inner.store(inner.cast_unsigned(), Ordering::SeqCst);
        answer(0);
        wait(inner);
    });
    let outer_pid = outer.cast_unsigned();
    while nest.innermost.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(2));
    }
    let inner_pid = nest.inner.load(Ordering::SeqCst);
    let agents = [
        NestedAgent {
            tgid: outer_pid,
            agent_types: vec![number(AGENT)],
            around: None,
        },
        NestedAgent {
            tgid: inner_pid,
            agent_types: vec![number(AGENT), number("langgraph")],
            around: Some(outer_pid),
        },
    ];
    let tagged = GUEST.programs.tag_processes(&agents).unwrap();
    let session_of = |tgid: u32| {
        let number = tagged.iter().find(|(tagged, _)| *tagged == tgid).unwrap();
        *number.1.as_ref().expect("tagged")
    };
    let (around, inside) = (session_of(outer_pid), session_of(inner_pid));
    let session = GUEST.programs.session(inside).unwrap().unwrap();
    assert_eq!(session.types, [number(AGENT), number("langgraph")]);
    assert_eq!((session.parent, session.root_tgid), (around, inner_pid));
    let live = GUEST.programs.live_tasks().unwrap();
    let innermost = nest.innermost.load(Ordering::SeqCst);
    for (tgid, session) in [
        (outer_pid, around),
        (inner_pid, inside),
        (innermost, inside),
    ] {
        let task = live
            .iter()
            .find(|task| task.tgid == tgid)
            .expect("it lives");
        assert_eq!(task.session, session, "{live:?}");
    }
    nest.go.store(true, Ordering::SeqCst);
    wait(outer);
    for answer in &nest.answers {
        assert_eq!(answer.load(Ordering::SeqCst).cast_signed(), EPERM);
    }
}

#[test]
fn an_interpreter_that_runs_already_may_still_become_an_agent() {
    let _turn = setting();
    fill(&package_dir(), &["__init__.py"]);
    let flags: &'static [AtomicBool; 2] = shared();
    let result: &'static AtomicU32 = shared();
    let interpreter = fork(|| {
        flags[0].store(true, Ordering::SeqCst);
        sleep_until(&flags[1]);
        let before = read(SECRET);
        read(
            package_dir()
                .join("__init__.py")
                .into_os_string()
                .into_encoded_bytes(),
        );
        let after = read(SECRET);
        result.store((before << 8 | after).cast_unsigned(), Ordering::SeqCst);
    });
    sleep_until(&flags[0]);
    GUEST
        .programs
        .tag_interpreters(&[interpreter.cast_unsigned()])
        .unwrap();
    flags[1].store(true, Ordering::SeqCst);
    wait(interpreter);
    assert_eq!(
        result.load(Ordering::SeqCst).cast_signed(),
        EPERM,
        "free, then an agent"
    );
}

fn package_dir() -> std::path::PathBuf {
    folder_of("running/lib/site-packages/langgraph")
}

fn folder_of(name: &str) -> std::path::PathBuf {
    let dir = Path::new("/tmp/vm").join(name);
    fs::create_dir_all(&dir).expect("a folder");
    dir
}

const CGROUP: &str = "/sys/fs/cgroup/tyr-storm";
const FORKS_MAX: u32 = 2_000;
/// Longest time without one more fork, also before the last orphans rest.
const STILL_MAX: Duration = Duration::from_secs(100);
/// Links of a chain in which each one makes the next and ends.
const CHAIN: u32 = 40;

#[derive(Default)]
struct Storm {
    ready: AtomicBool,
    /// Chains leave their process group, too, from now on.
    tagging: AtomicBool,
    calm: AtomicBool,
    end: AtomicBool,
    forks: AtomicU32,
}

impl Storm {
    /// Whether one more fork is allowed.
    fn may_fork(&self) -> bool {
        self.forks.fetch_add(1, Ordering::SeqCst) < FORKS_MAX
    }

    /// The process at the end of a chain of orphans lives on.
    fn chain(&'static self, left: u32, own_session: bool) {
        if own_session {
            // SAFETY: no pointers.
            unsafe { libc::setsid() };
        }
        if left == 0 || !self.may_fork() {
            sleep_until(&self.end);
            return;
        }
        fork(|| self.chain(left - 1, own_session));
    }

    fn run(&'static self) {
        // SAFETY: no pointers.
        unsafe { libc::setpgid(0, 0) };
        self.ready.store(true, Ordering::SeqCst);
        let mut round = 0;
        while self.forks.load(Ordering::SeqCst) < FORKS_MAX {
            round += 1;
            let is_tagging = self.tagging.load(Ordering::SeqCst);
            if round % 8 == 0 && self.may_fork() {
                fork(|| {
                    if is_tagging {
                        // Still a child when births begin to be noted.
                        thread::sleep(Duration::from_millis(500));
                    }
                    self.chain(CHAIN, is_tagging);
                });
            } else if self.may_fork() {
                wait(fork(|| {}));
            }
        }
        self.calm.store(true, Ordering::SeqCst);
        sleep_until(&self.end);
    }
}

/// Ends the storm, also when the test fails: two thousand processes slow down all that follows.
struct Ends(&'static Storm);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::SeqCst);
    }
}

fn members() -> BTreeSet<u32> {
    let text = fs::read_to_string(format!("{CGROUP}/cgroup.procs")).expect("the cgroup");
    text.lines()
        .map(|line| line.parse().expect("a pid"))
        .collect()
}

#[test]
fn no_child_of_a_fork_storm_stays_untagged() {
    let _turn = setting();
    fs::create_dir_all(CGROUP).expect("a cgroup");
    let controllers = Path::new("/sys/fs/cgroup/cgroup.subtree_control");
    fs::write(controllers, "+pids").expect("the pids controller");
    // Orphans are zombies until init asks for them.
    fs::write(format!("{CGROUP}/pids.max"), "2100").expect("a bound");
    let storm: &'static Storm = shared();
    let ends = Ends(storm);
    let root = fork(|| {
        fs::write(format!("{CGROUP}/cgroup.procs"), "0").expect("join");
        storm.run();
    });
    sleep_until(&storm.ready);
    thread::sleep(Duration::from_millis(50));
    storm.tagging.store(true, Ordering::SeqCst);
    let forked = storm.forks.load(Ordering::SeqCst);
    assert!(forked < FORKS_MAX, "the storm was over before the tagging");
    tag(root);
    let (mut forks, mut last) = (forked, Instant::now());
    while !storm.calm.load(Ordering::SeqCst) || thread_count_changes() {
        let now = storm.forks.load(Ordering::SeqCst);
        if now != forks {
            (forks, last) = (now, Instant::now());
        }
        assert!(last.elapsed() < STILL_MAX, "it hangs after {forks} forks");
        thread::sleep(Duration::from_millis(100));
    }
    let live = GUEST.programs.live_tasks().unwrap();
    let agents = live.iter().filter(|task| task.flags & TYR_TASK_AGENT != 0);
    let agents: BTreeSet<u32> = agents.map(|task| task.tgid).collect();
    let members = members();
    let untagged: Vec<&u32> = members.difference(&agents).collect();
    eprintln!(
        "{} processes after {FORKS_MAX} forks, {forked} of them before the tagging",
        members.len()
    );
    drop(ends);
    wait(root);
    assert!(members.len() > 10, "{members:?}");
    assert_eq!(untagged, [&0; 0], "of {members:?}");
    while !self::members().is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    fs::remove_dir(CGROUP).ok();
}

/// Whether chains still move.
fn thread_count_changes() -> bool {
    let before = members();
    thread::sleep(Duration::from_millis(700));
    members() != before
}
