//! Whatever an agent makes is the agent.

use std::sync::atomic::{AtomicI32, Ordering};

use libc::EPERM;

use crate::guest::*;
use crate::syscall::*;

const SECRET: &str = "/tmp/vm/lineage/secret";

fn setting() -> Turn {
    fill(&folder("lineage"), &["secret"]);
    policy(&deny("file_read", SECRET))
}

#[test]
fn threads_and_children_inherit() {
    let _turn = setting();
    assert_eq!(
        as_agent(|| std::thread::spawn(|| read(SECRET)).join().unwrap()),
        EPERM,
        "thread"
    );
    assert_eq!(as_agent(|| in_fork(|| read(SECRET))), EPERM, "child");
    assert_eq!(
        as_agent(|| in_fork(|| {
            call!(libc::setsid());
            in_fork(|| read(SECRET))
        })),
        EPERM,
        "double fork with a session of its own"
    );
}

#[test]
fn a_sibling_is_the_makers_child() {
    let _turn = setting();
    // CLONE_PARENT: the parent of the new process is not the one that made it. The result comes
    // over a pipe, because the maker cannot wait for it.
    let made = as_agent(|| {
        use std::os::fd::AsRawFd;
        let (from, to) = pipe();
        let flags = libc::CLONE_PARENT | libc::SIGCHLD;
        // SAFETY: like fork, with a flag; the child leaves by _exit.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
            if pid == 0 {
                let result = read(SECRET);
                libc::write(to.as_raw_fd(), (&raw const result).cast(), 4);
                libc::_exit(0);
            }
            let mut result = -1i32;
            libc::read(from.as_raw_fd(), (&raw mut result).cast(), 4);
            result
        }
    });
    assert_eq!(made, EPERM);
}

#[test]
fn a_descendant_outlives_the_agent() {
    use std::os::fd::AsRawFd;
    let _turn = setting();
    let ((wait, start), (from, to)) = (pipe(), pipe());
    let agent = as_agent(|| {
        // SAFETY: the child leaves by _exit; one byte is read and four are written.
        unsafe {
            if libc::fork() == 0 {
                let mut byte = 0u8;
                libc::setsid();
                libc::read(wait.as_raw_fd(), (&raw mut byte).cast(), 1);
                let result = read(SECRET);
                libc::write(to.as_raw_fd(), (&raw const result).cast(), 4);
                libc::_exit(0);
            }
        }
        0
    });
    assert_eq!(agent, 0, "the agent has ended");
    let mut result = -1i32;
    // SAFETY: one byte is written and four are read.
    unsafe {
        libc::write(start.as_raw_fd(), c"x".as_ptr().cast(), 1);
        libc::read(from.as_raw_fd(), (&raw mut result).cast(), 4);
    }
    assert_eq!(result, EPERM);
}

#[test]
fn an_exec_by_a_thread_keeps_the_identity() {
    let _turn = setting();
    let status = as_agent(|| {
        in_fork(|| {
            std::thread::spawn(|| {
                let arguments = [c("cat"), c(SECRET)];
                let pointers = [
                    arguments[0].as_ptr(),
                    arguments[1].as_ptr(),
                    std::ptr::null(),
                ];
                call!(libc::execv(c"/usr/bin/cat".as_ptr(), pointers.as_ptr()))
            })
            .join()
            .unwrap()
        })
    });
    assert_eq!(status, 1, "cat reports the error");
    denied(SECRET);
}

#[test]
fn processes_that_run_already_are_tagged_with_all_they_made() {
    static RESULT: AtomicI32 = AtomicI32::new(0);
    let _turn = setting();
    // The thread and the grandchild exist before the tag does: `as_agent` tags, then lets go.
    let (go_read, go_write) = pipe();
    let (done_read, done_write) = pipe();
    use std::os::fd::AsRawFd;
    // SAFETY: the child leaves by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let thread_waits = std::thread::spawn(move || {
            let mut byte = 0u8;
            // SAFETY: one byte of room.
            unsafe { libc::read(go_read.as_raw_fd(), (&raw mut byte).cast(), 1) };
            RESULT.store(read(SECRET), Ordering::SeqCst);
        });
        thread_waits.join().unwrap();
        let result = RESULT.load(Ordering::SeqCst);
        // SAFETY: four bytes.
        unsafe {
            libc::write(done_write.as_raw_fd(), (&raw const result).cast(), 4);
            libc::_exit(0);
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    tag(pid);
    let tasks = GUEST.programs.live_tasks().unwrap();
    let threads = tasks
        .iter()
        .filter(|task| task.tgid == pid.cast_unsigned())
        .count();
    assert_eq!(threads, 2, "{tasks:?}");
    let mut result = -1i32;
    // SAFETY: buffers of the size that is given.
    unsafe {
        libc::write(go_write.as_raw_fd(), c"g".as_ptr().cast(), 1);
        libc::read(done_read.as_raw_fd(), (&raw mut result).cast(), 4);
    }
    wait(pid);
    assert_eq!(result, EPERM);
}

#[test]
fn io_uring_workers_inherit() {
    let _turn = setting();
    for asynchronous in [false, true] {
        let way = move || crate::lineage::uring::open(SECRET, asynchronous);
        assert_eq!(as_stranger(way), 0, "io_uring works here");
        assert_eq!(as_agent(way), EPERM, "asynchronous: {asynchronous}");
    }
}

/// One openat through io_uring, by raw system calls.
pub mod uring {
    use crate::guest::{c, errno};

    #[repr(C)]
    #[derive(Default)]
    struct Offsets {
        head: u32,
        tail: u32,
        mask: u32,
        entries: u32,
        flags: u32,
        dropped: u32,
        array: u32,
        reserved: u32,
        address: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Completions {
        head: u32,
        tail: u32,
        mask: u32,
        entries: u32,
        overflow: u32,
        entries_at: u32,
        flags: u32,
        reserved: u32,
        address: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Parameters {
        entries: u32,
        completions: u32,
        flags: u32,
        cpu: u32,
        idle: u32,
        features: u32,
        queue: u32,
        reserved: [u32; 3],
        submission: Offsets,
        completion: Completions,
    }

    const OPENAT: u8 = 18;
    const ASYNC: u8 = 1 << 4;
    const GET_EVENTS: u32 = 1;
    const RING: i64 = 0;
    const COMPLETION_RING: i64 = 0x800_0000;
    const ENTRIES: i64 = 0x1000_0000;

    /// The errno of the open; `asynchronous`: by a worker thread.
    pub fn open(path: &str, asynchronous: bool) -> i32 {
        let mut parameters = Parameters::default();
        let path = c(path);
        // SAFETY: the structures are those of io_uring's ABI, the mappings as large as it says.
        unsafe {
            let ring = libc::syscall(libc::SYS_io_uring_setup, 4, &raw mut parameters);
            if ring < 0 {
                return errno(ring);
            }
            let ring = i32::try_from(ring).unwrap();
            let map = |offset: i64| {
                let protection = libc::PROT_READ | libc::PROT_WRITE;
                let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
                libc::mmap(std::ptr::null_mut(), 4096, protection, flags, ring, offset).cast::<u8>()
            };
            let (submission, completion, entries) = (map(RING), map(COMPLETION_RING), map(ENTRIES));
            // struct io_uring_sqe: opcode, flags, .., fd at 4, offset at 8, address at 16,
            // length (mode) at 24, open flags at 28.
            *entries = OPENAT;
            *entries.add(1) = if asynchronous { ASYNC } else { 0 };
            entries.add(4).cast::<i32>().write(libc::AT_FDCWD);
            entries.add(16).cast::<u64>().write(path.as_ptr() as u64);
            entries.add(28).cast::<i32>().write(libc::O_RDONLY);
            submission
                .add(parameters.submission.array as usize)
                .cast::<u32>()
                .write(0);
            submission
                .add(parameters.submission.tail as usize)
                .cast::<u32>()
                .write(1);
            let entered = libc::syscall(
                libc::SYS_io_uring_enter,
                ring,
                1u32,
                1u32,
                GET_EVENTS,
                std::ptr::null::<u8>(),
                0usize,
            );
            if entered < 0 {
                return errno(entered);
            }
            // struct io_uring_cqe: user data, then the result.
            let first = completion.add(parameters.completion.entries_at as usize);
            let result = first.add(8).cast::<i32>().read();
            if result < 0 { -result } else { 0 }
        }
    }
}
