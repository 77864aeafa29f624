//! New programs take the place of old ones without a gap, or not at all.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libbpf_rs::query::LinkInfoIter;
use libc::EPERM;
use tyr::kernel::build::Build;
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::object::EnforcementMode;

use crate::guest::*;
use crate::object::{another, broken, without_tracepoint};
use crate::probe::Probe;
use crate::syscall::*;

const DIR: &str = "/sys/fs/bpf/tyr-upgrade";
const SECRET: &str = "/tmp/vm/upgrade/secret";

fn options() -> LoadOptions {
    LoadOptions {
        pin_dir: Some(PathBuf::from(DIR)),
        ..LoadOptions::default()
    }
}

/// Numbers of everything that is attached on this machine.
fn attached() -> BTreeSet<u32> {
    LinkInfoIter::default().map(|link| link.id).collect()
}

/// Waits for what is attached: a link whose pin is gone ends when the kernel gets to it.
fn settles(what: &str, holds: impl Fn(&BTreeSet<u32>) -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let now = attached();
        if holds(&now) {
            return;
        }
        assert!(Instant::now() < end, "{what}: {now:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// This thread runs on these processors alone.
fn run_on(processors: &libc::cpu_set_t) {
    // SAFETY: the set lives through the call.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(processors), processors) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// The processors that this thread may run on now, and the first one alone.
fn processors() -> (libc::cpu_set_t, libc::cpu_set_t) {
    // SAFETY: an empty set is all zeroes, and the calls write no more than a set.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        let mut first: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(
            libc::sched_getaffinity(0, size_of_val(&all), &raw mut all),
            0
        );
        libc::CPU_SET(0, &mut first);
        (all, first)
    }
}

/// Tells when something is made in folders.
struct Watch(OwnedFd);

impl Watch {
    fn start(folder: &str) -> Watch {
        // SAFETY: makes a descriptor, which is then owned.
        let watch = unsafe {
            let fd = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
            assert!(fd >= 0, "inotify");
            Watch(OwnedFd::from_raw_fd(fd))
        };
        watch.add(Path::new(folder));
        watch
    }

    /// A folder that is not there yet is not watched.
    fn add(&self, folder: &Path) {
        let path = c(folder.as_os_str().as_encoded_bytes());
        // SAFETY: the path ends with NUL.
        unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), libc::IN_CREATE) };
    }

    /// Until something was made, or a while has passed.
    fn wait(&self) {
        let mut events = [0u8; 4096];
        let mut asked = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, and a buffer of this size.
        unsafe {
            libc::poll(&raw mut asked, 1, 100);
            libc::read(asked.fd, events.as_mut_ptr().cast(), events.len());
        }
    }
}

/// This thread runs whenever it wants to.
fn before_all_others() {
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters live through the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const first) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn load(build: &Build) -> Programs {
    Programs::load_build(&options(), build).expect("load")
}

/// This build's programs, enforcing in `DIR`.
fn old() -> Programs {
    let programs = load(&Build::own());
    assert_eq!(
        programs.mode(),
        GUEST.programs.mode(),
        "{:?}",
        programs.limits()
    );
    install_in(&programs, &deny("file_read", SECRET));
    programs
}

fn setting() -> Turn {
    // Of a test that failed.
    std::fs::remove_dir_all(DIR).ok();
    fill(&folder("upgrade"), &["secret"]);
    policy(&deny("file_read", "/nowhere"))
}

fn same_layout() -> Build {
    Build::of(another(), Build::own().layout())
}

fn other_layout() -> Build {
    Build::of(another(), Build::own().layout() + 7)
}

#[test]
fn one_program_that_cannot_be_loaded_keeps_all_of_them_off() {
    let _turn = setting();
    let old = old();
    let before = attached();
    let prefix = match old.mode() {
        EnforcementMode::Lsm => "lsm_",
        _ => "fmod_",
    };
    let first = format!("{prefix}task_alloc");
    let last = format!("{prefix}socket_create");
    for name in [&first, &last, "tag_tasks"] {
        let broken = Build::of(broken(name), Build::own().layout());
        let kept = load(&broken);
        let said = kept.limits().join("\n");
        assert!(said.contains(&format!("program {name}: ")), "{said}");
        // A first instruction with a relocation is refused while it is relocated.
        let reasons = ["!read_ok", "failed to patch insn #0"];
        assert!(
            reasons.iter().any(|reason| said.contains(reason)),
            "the reason: {said}"
        );
        assert!(
            said.contains("an earlier version of tyr stay in force"),
            "{said}"
        );
        assert!(kept.adopted());
        assert_eq!(kept.mode(), old.mode());
        settles(name, |now| *now == before);
        install_in(&kept, &deny("file_read", SECRET));
        assert_eq!(in_child_of(&kept, || read(SECRET)), EPERM, "{name}");
    }
    old.release().unwrap();
}

#[test]
fn without_old_programs_a_failed_load_leaves_nothing() {
    let _turn = setting();
    let before = attached();
    let name = if GUEST.programs.mode() == EnforcementMode::Lsm {
        "lsm_file_open"
    } else {
        "fmod_file_open"
    };
    for (bytes, culprit) in [(broken(name), name), (without_tracepoint(), "process_exit")] {
        let mode_limit = GUEST.programs.mode();
        let options = LoadOptions {
            mode_limit,
            ..options()
        };
        let build = Build::of(bytes, Build::own().layout());
        let none = Programs::load_build(&options, &build).unwrap();
        let said = none.limits().join("\n");
        assert!(said.contains(culprit), "{said}");
        if none.mode() == EnforcementMode::Observe {
            settles("nothing stays", |now| *now == before);
        } else {
            // The program is of one mode only, and the weaker one has what it needs.
            assert_eq!(none.mode(), EnforcementMode::FmodRet);
        }
        none.release().unwrap();
        settles("nothing stays", |now| *now == before);
    }
    assert!(!Path::new(DIR).exists());
}

#[test]
fn a_failed_attach_leaves_the_old_programs() {
    let _turn = setting();
    let old = old();
    let before = attached();
    let kept = load(&Build::of(without_tracepoint(), Build::own().layout()));
    let said = kept.limits().join("\n");
    assert!(said.contains("attach process_exit"), "{said}");
    settles("nothing new stays, nothing old goes", |now| *now == before);
    // The other layout cannot be used, and goes on with what it has.
    let foreign = load(&Build::of(without_tracepoint(), other_layout().layout()));
    assert_eq!(foreign.mode(), EnforcementMode::Observe);
    let said = foreign.limits().join("\n");
    assert!(
        said.contains("go on enforcing the policies they have"),
        "{said}"
    );
    settles("nothing new stays, nothing old goes", |now| *now == before);
    assert_eq!(in_child_of(&old, || read(SECRET)), EPERM);
    // Every handle keeps the programs in the kernel.
    drop((kept, foreign));
    old.release().unwrap();
}

#[test]
fn a_failed_pin_leaves_the_old_programs() {
    let _turn = setting();
    let old = old();
    let before = attached();
    let build = same_layout();
    let stop = AtomicBool::new(false);
    let in_the_way = format!("{DIR}/new-{:016x}/links/process_exit", build.number());
    let said = thread::scope(|scope| {
        // The folder appears in the middle of the load, and the name is taken before its turn
        // comes: what is made there wakes the thread, and on the loader's own processor it runs
        // at once.
        let (all, first) = processors();
        run_on(&first);
        let (stop, in_the_way) = (&stop, Path::new(&in_the_way));
        scope.spawn(move || {
            run_on(&first);
            before_all_others();
            let watch = Watch::start(DIR);
            while !stop.load(Ordering::Relaxed) && std::fs::create_dir(in_the_way).is_err() {
                watch.add(in_the_way.ancestors().nth(2).expect("a folder"));
                watch.wait();
            }
        });
        let kept = Programs::load_build(&options(), &build);
        stop.store(true, Ordering::Relaxed);
        run_on(&all);
        kept.map(|kept| kept.limits().join("\n"))
    });
    let said = said.expect("load");
    assert!(said.contains("links/process_exit"), "{said}");
    settles("nothing new stays, nothing old goes", |now| *now == before);
    assert_eq!(in_child_of(&old, || read(SECRET)), EPERM);
    // What was in the way is out of it.
    let new = load(&build);
    assert!(!new.adopted(), "{:?}", new.limits());
    assert_eq!(
        in_child_of(&new, || read(SECRET)),
        EPERM,
        "the image is the old one's"
    );
    new.release().unwrap();
    drop(old);
}

#[test]
fn another_build_takes_over_without_a_gap() {
    let _turn = setting();
    let old = old();
    let probe = Probe::start(&old, SECRET);
    probe.go_on(200, 5);
    let generation = old.generation().unwrap();
    let mut holders = vec![old];
    // There and back.
    for build in [same_layout(), Build::own()] {
        let count = attached().len();
        let new = load(&build);
        assert!(
            !new.adopted() && !new.has_predecessor(),
            "{:?}",
            new.limits()
        );
        assert_eq!(new.generation().unwrap(), generation, "the image is shared");
        // Handles keep programs attached that have no pin any more.
        holders = vec![new];
        settles("the old ones go", |now| now.len() == count);
        probe.go_on(200, 5);
    }
    let seen = probe.finish();
    assert_eq!(seen.allowed, 0, "{seen:?}");
    holders.remove(0).release().unwrap();
}

#[test]
fn another_layout_takes_over_without_a_gap() {
    let _turn = setting();
    let mut current = old();
    let probe = Probe::start(&current, SECRET);
    probe.go_on(200, 5);
    let sessions = current.sessions().unwrap();
    for build in [other_layout(), Build::own()] {
        let new = load(&build);
        assert!(
            !new.adopted() && new.has_predecessor(),
            "{:?}",
            new.limits()
        );
        assert_eq!(new.sessions().unwrap(), [], "its maps are its own");
        probe.go_on(100, 3);
        install_in(&new, &deny("file_read", SECRET));
        new.take_over().expect("take over");
        assert!(!new.has_predecessor());
        assert_eq!(
            new.sessions().unwrap(),
            sessions,
            "the same numbers and types"
        );
        let live = new.live_tasks().unwrap();
        let of_probe = live
            .iter()
            .filter(|task| task.tgid == probe.pid.cast_unsigned());
        assert!(of_probe.count() >= 4, "every thread: {live:?}");
        let count = attached().len();
        current = new;
        settles("the old ones go", |now| now.len() < count);
        probe.go_on(200, 5);
        // Nothing read the old ring buffer, so everything in it is told as lost.
        assert!(current.left_behind(None, 0).unwrap() > 300);
        current.forget_left_behind().unwrap();
        assert_eq!(current.left_behind(None, 0).unwrap(), 0);
    }
    let seen = probe.finish();
    assert_eq!(seen.allowed, 0, "{seen:?}");
    current.release().unwrap();
    assert!(!Path::new(DIR).exists());
}

/// A loader that dies between attaching and taking over leaves both: the next one goes on.
#[test]
fn a_takeover_that_was_cut_short_is_finished() {
    let _turn = setting();
    let old = old();
    let probe = Probe::start(&old, SECRET);
    drop(load(&other_layout()));
    probe.go_on(100, 3);
    let new = load(&other_layout());
    assert!(new.adopted() && new.has_predecessor(), "{:?}", new.limits());
    install_in(&new, &deny("file_read", SECRET));
    new.take_over().expect("take over");
    drop(old);
    probe.go_on(200, 5);
    let seen = probe.finish();
    assert_eq!(seen.allowed, 0, "{seen:?}");
    new.release().unwrap();
}
