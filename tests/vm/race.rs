//! Renames of a directory above a file while the file is opened: no open sees a place that never was.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tyr::kernel::load::{LoadOptions, Programs};
use tyr::kernel::object::EnforcementMode;

use crate::guest::*;
use crate::syscall::*;

/// Opens of one run.
const OPENS: usize = 3_000;
/// Runs at most, until a rename ran beside a walk.
const RUNS: usize = 20;
/// Where the file is below the directory that is moved: a long walk meets more renames.
const BELOW: &str =
    "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d";
const POINTERS: &str = "/proc/sys/kernel/kptr_restrict";

/// One thing that a stranger does without end.
type Renaming = fn(&str, &str);

/// Opens that went through while `renaming` moved the directory of the file between two places
/// that are denied. A walk that takes the name from one and the parent from the other is allowed.
fn opens_beside(programs: &Programs, base: &Path, renaming: Renaming) -> i32 {
    let path = |name: &str| base.join(name).to_str().unwrap().to_owned();
    let (here, there) = (path("p/A"), path("q/B"));
    let folder = descriptor(&here, libc::O_PATH);
    assert!(folder >= 0);
    let file = c(format!("{BELOW}/id"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renaming(&here, &there);
            }
        });
        let opened = in_child_of(programs, || {
            let mut opened = 0;
            for _ in 0..OPENS {
                // SAFETY: the path ends with NUL.
                let fd = unsafe { libc::openat(folder, file.as_ptr(), libc::O_RDONLY) };
                opened += i32::from(fd >= 0);
            }
            opened
        });
        stop.store(true, Ordering::Relaxed);
        opened
    })
}

fn there_and_back(here: &str, there: &str) {
    assert_eq!(rename(here, there), 0);
    assert_eq!(rename(there, here), 0);
}

fn exchange(here: &str, there: &str) {
    let (here, there) = (c(here), c(there));
    let flags = libc::RENAME_EXCHANGE;
    assert_eq!(
        call!(libc::renameat2(
            -100,
            here.as_ptr(),
            -100,
            there.as_ptr(),
            flags
        )),
        0
    );
}

fn until_they_met(programs: &Programs, mut run: impl FnMut()) {
    let races = || programs.counters().expect("counters").rename_races;
    let before = races();
    for _ in 0..RUNS {
        run();
        if races() > before {
            return;
        }
    }
    panic!("no rename ran beside a walk in {RUNS} runs of {OPENS} opens");
}

/// Both ways of renaming, `OPENS` opens each or more.
fn nothing_is_opened(programs: &Programs, name: &str) {
    let rules = format!(
        "{}{}",
        deny("file_read", &format!("/tmp/vm/{name}/p/A/**")),
        deny("file_read", &format!("/tmp/vm/{name}/q/**/B/**"))
    );
    install_in(programs, &rules);
    let base = folder(name);
    let make = |place: &str| {
        let bottom = base.join(place).join(BELOW);
        std::fs::create_dir_all(&bottom).unwrap();
        fill(&bottom, &["id"]);
    };
    make("p/A");
    std::fs::create_dir_all(base.join("q")).unwrap();
    until_they_met(programs, || {
        assert_eq!(opens_beside(programs, &base, there_and_back), 0, "rename");
    });
    // The other place gets a directory of its own: either may be the one that is held.
    make("q/B");
    until_they_met(programs, || {
        assert_eq!(opens_beside(programs, &base, exchange), 0, "exchange");
    });
    assert_eq!(programs.counters().expect("counters").faults, 0);
}

#[test]
fn a_rename_beside_an_open_opens_nothing() {
    let _turn = policy(&deny("exec", "/nowhere"));
    nothing_is_opened(&GUEST.programs, "race");
}

#[test]
fn a_kernel_that_hides_its_lock_sees_renames_all_the_same() {
    let _turn = policy(&deny("exec", "/nowhere"));
    let before = std::fs::read_to_string(POINTERS).expect("kptr_restrict");
    std::fs::write(POINTERS, "2").expect("hide the addresses");
    let options = LoadOptions {
        pin_dir: None,
        scope: None,
        mode_limit: EnforcementMode::Lsm,
    };
    let programs = Programs::load(&options);
    std::fs::write(POINTERS, before.trim()).expect("show the addresses");
    let programs = programs.expect("load");
    assert_eq!(programs.limits(), [] as [String; 0]);
    nothing_is_opened(&programs, "hidden-race");
}

/// Renames elsewhere on the host are nobody's reason to refuse.
#[test]
fn renames_elsewhere_deny_nothing() {
    let _turn = policy(&deny("file_read", "/tmp/vm/elsewhere/secret"));
    let base = folder("elsewhere");
    let bottom = base.join(BELOW);
    std::fs::create_dir_all(&bottom).unwrap();
    fill(&bottom, &["id"]);
    let path = |name: &str| base.join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("moved")).unwrap();
    let races = || GUEST.programs.counters().expect("counters").rename_races;
    let before = races();
    let stop = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                there_and_back(&path("moved"), &path("moved-again"));
            }
        });
        let file = path(&format!("{BELOW}/id"));
        let mut refused = 0;
        for _ in 0..RUNS {
            refused += as_agent(|| {
                let refused = (0..OPENS / 10).filter(|_| read(file.as_str()) != 0).count();
                i32::from(refused > 0)
            });
            if races() - before > 100 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        refused
    });
    assert!(races() > before, "no rename ran beside a walk");
    assert_eq!(refused, 0);
}
