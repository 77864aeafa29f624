//! An agent that tries a forbidden open all the time, from threads and from new children.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::EPERM;
use tyr::kernel::load::Programs;

use crate::guest::tag_in;
use crate::syscall::{in_fork, read, wait};

const THREADS: usize = 3;
/// Between two attempts of a thread, and two children: the programs must find time to be loaded.
const PAUSE: Duration = Duration::from_micros(500);
const CHILD_PAUSE: Duration = Duration::from_millis(5);

/// Shared with the probe's process.
#[derive(Default)]
struct Shared {
    start: AtomicBool,
    stop: AtomicBool,
    attempts: AtomicU64,
    /// Everything but EPERM.
    allowed: AtomicU64,
    children: AtomicU64,
}

pub struct Probe {
    pub pid: i32,
    shared: &'static Shared,
}

/// What a probe has seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub attempts: u64,
    pub allowed: u64,
    pub children: u64,
}

impl Probe {
    /// Starts the process, makes it an agent, and lets it go.
    pub fn start(programs: &Programs, path: &'static str) -> Probe {
        let shared = shared::<Shared>();
        // SAFETY: the child runs the probe and leaves by _exit.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            run(shared, path);
            // SAFETY: ends the child without the parent's destructors.
            unsafe { libc::_exit(0) };
        }
        tag_in(programs, pid);
        shared.start.store(true, Ordering::SeqCst);
        Probe { pid, shared }
    }

    pub fn seen(&self) -> Seen {
        Seen {
            attempts: self.shared.attempts.load(Ordering::SeqCst),
            allowed: self.shared.allowed.load(Ordering::SeqCst),
            children: self.shared.children.load(Ordering::SeqCst),
        }
    }

    /// Waits until as many more attempts and children have been.
    pub fn go_on(&self, attempts: u64, children: u64) {
        let (before, end) = (self.seen(), Instant::now() + Duration::from_secs(120));
        loop {
            let now = self.seen();
            if now.attempts >= before.attempts + attempts
                && now.children >= before.children + children
            {
                return;
            }
            assert!(Instant::now() < end, "the probe stands still: {now:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn finish(mut self) -> Seen {
        self.shared.stop.store(true, Ordering::SeqCst);
        assert_eq!(
            wait(std::mem::take(&mut self.pid)),
            0,
            "the probe ends as it should"
        );
        self.seen()
    }
}

/// A test that fails leaves no probe behind.
impl Drop for Probe {
    fn drop(&mut self) {
        if self.pid != 0 {
            // SAFETY: the probe is this process's child and was not waited for.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            wait(self.pid);
        }
    }
}

/// Memory that children share, of atomics whose first value is 0.
pub fn shared<T: Default>() -> &'static T {
    // SAFETY: a new shared mapping, large enough, never unmapped; the value is written first.
    unsafe {
        let memory = libc::mmap(
            std::ptr::null_mut(),
            size_of::<T>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED);
        memory.cast::<T>().write(T::default());
        &*memory.cast::<T>()
    }
}

fn run(shared: &'static Shared, path: &'static str) {
    while !shared.start.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    let attempt = move |denied: bool| {
        shared
            .allowed
            .fetch_add(u64::from(!denied), Ordering::SeqCst);
        shared.attempts.fetch_add(1, Ordering::SeqCst);
    };
    for _ in 0..THREADS {
        thread::spawn(move || {
            loop {
                attempt(read(path) == EPERM);
                thread::sleep(PAUSE);
            }
        });
    }
    while !shared.stop.load(Ordering::SeqCst) {
        attempt(in_fork(|| read(path)) == EPERM);
        shared.children.fetch_add(1, Ordering::SeqCst);
        thread::sleep(CHILD_PAUSE);
    }
}
