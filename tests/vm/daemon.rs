//! The daemon's kernel, as the daemon uses it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tyr::daemon::compiler::Compiler;
use tyr::daemon::kernel::live::Live;
use tyr::daemon::kernel::{Enforcement, Kernel, Record, Wanted};
use tyr::kernel::load::{LoadOptions, Programs};
use tyr::policy::moment::Moment;
use tyr::policy::principal::Principal;
use tyr::policy::rule::Effective;
use tyr::policy::signatures::Signatures;

use crate::guest::*;
use crate::syscall::*;

/// There is one place for pins, so one daemon at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Loaded for a test that has ended: loading takes longer than most tests.
static RESTING: Mutex<Option<Arc<Live>>> = Mutex::new(None);

/// The executable under test, which has the policy compiler.
pub fn executable() -> PathBuf {
    std::env::var_os("TYR").map_or_else(|| env!("CARGO_BIN_EXE_tyr").into(), PathBuf::from)
}

pub struct Daemon {
    pub kernel: Arc<Live>,
    _turn: MutexGuard<'static, ()>,
}

impl Daemon {
    pub fn load() -> Daemon {
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let resting = RESTING.lock().unwrap().take();
        Daemon {
            kernel: resting.unwrap_or_else(|| {
                let live = Live::load(Signatures::builtin(), None, true).expect("load");
                Arc::new(live.compiled_by(Compiler::at(&executable())))
            }),
            _turn: turn,
        }
    }

    /// Denies nothing any more, and waits for the next test.
    pub fn rest(self) {
        let nothing = wanted(Vec::new());
        self.kernel.put_in_force(&nothing).expect("in force");
        *RESTING.lock().unwrap() = Some(self.kernel);
    }

    /// Puts rules in force for every agent, and for these sessions.
    pub fn put_in_force(&self, rules: &str) -> u32 {
        let wanted = wanted(effective(rules));
        self.kernel
            .put_in_force(&wanted)
            .expect("in force")
            .generation
    }

    /// Takes enforcement off again.
    pub fn release(self) {
        Arc::into_inner(self.kernel)
            .expect("nobody else")
            .release()
            .expect("release");
    }
}

pub fn wanted(policies: Vec<Effective>) -> Wanted {
    Wanted {
        policies: Arc::new(policies),
        host: Principal::default(),
        sessions: Vec::new(),
        moment: Moment::from_zoned(&jiff::Zoned::now()),
    }
}

/// A tmpfs of its own on the guest's mount table, until it is dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(name: &str) -> Tmpfs {
        let point = folder(name);
        mount_tmpfs(&point);
        Tmpfs(point)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let point = c(self.0.as_os_str().as_encoded_bytes());
        // SAFETY: the path ends with NUL.
        unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH) };
    }
}

pub fn mount_tmpfs(point: &Path) {
    let (kind, point) = (c"tmpfs".as_ptr(), c(point.as_os_str().as_encoded_bytes()));
    assert_eq!(
        call!(libc::mount(kind, point.as_ptr(), kind, 0, std::ptr::null())),
        0
    );
}

#[test]
fn a_mount_between_two_waits_is_noticed() {
    let daemon = Daemon::load();
    let changed = || {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| daemon.kernel.wait_for_mounts(&stop));
            thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
            waiting.join().expect("it does not panic")
        })
    };
    changed();
    let mounted = Tmpfs::mount("watched");
    assert!(changed(), "it was mounted while nobody waited");
    assert!(!changed(), "nothing else happened");
    drop(mounted);
    assert!(changed(), "it was unmounted while nobody waited");
    daemon.release();
}

#[test]
fn the_daemon_proves_what_it_claims() {
    let daemon = Daemon::load();
    let kernel = &daemon.kernel;
    assert_eq!(
        kernel.enforcement(),
        Enforcement::Observe,
        "nothing is proved yet"
    );
    assert!(kernel.prove().is_err(), "there is no image");
    let seen = Mutex::new(Vec::<Record>::new());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut ring = kernel.ring().expect("ring").expect("it is attached");
            while !stop.load(Ordering::Relaxed) {
                ring.wait(Duration::from_millis(100)).expect("wait");
                while let Some(record) = ring.next() {
                    seen.lock().unwrap().push(record.expect("record"));
                }
                let position = ring.position();
                ring.commit(position);
            }
        });
        daemon.put_in_force(&deny("exec", "/nowhere"));
        kernel.prove().expect("open, exec and connect are denied");
        assert_eq!(kernel.enforcement(), Enforcement::Lsm);
        assert_eq!(kernel.limits(), Vec::<String>::new());
        assert_eq!(kernel.sessions().expect("sessions"), []);

        // Somebody else's image is in force, without the rules of the self-test.
        let other = Programs::load(&LoadOptions::default()).expect("adopt");
        assert!(other.adopted());
        install_in(&other, &deny("exec", "/nowhere"));
        let error = kernel.prove().expect_err("nothing is denied").to_string();
        assert!(
            error.contains("open, exec, connect was not denied"),
            "{error}"
        );
        assert_eq!(kernel.enforcement(), Enforcement::Observe);
        let limits = kernel.limits();
        assert!(
            limits.len() == 1
                && limits[0].starts_with("unproven since ")
                && limits[0].ends_with(&error),
            "{limits:?}"
        );

        daemon.put_in_force(&deny("exec", "/nowhere"));
        kernel.prove().expect("it is the daemon's again");
        assert_eq!(kernel.enforcement(), Enforcement::Lsm);
        assert_eq!(kernel.sessions().expect("sessions"), []);
        thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        *seen.lock().unwrap(),
        [],
        "the self-test leaves no trace in the audit"
    );
    daemon.release();
}
