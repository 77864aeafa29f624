//! System calls as the tests want them: an errno, 0 for success.

use std::os::fd::RawFd;

use crate::guest::{c, errno};

/// One way to do something: its errno.
pub type Way<'a> = Box<dyn Fn() -> i32 + 'a>;

/// The errno of a raw call.
macro_rules! call {
    ($call:expr) => {{
        // SAFETY: pointers are to NUL-terminated strings or structures that live through the call.
        let result = unsafe { $call };
        $crate::guest::errno(i64::from(result))
    }};
}
pub(crate) use call;

pub fn open(path: impl Into<Vec<u8>>, flags: i32) -> i32 {
    call!(libc::open(c(path).as_ptr(), flags, 0o600))
}

/// A descriptor, or -1.
pub fn descriptor(path: &str, flags: i32) -> RawFd {
    // SAFETY: the path ends with NUL.
    unsafe { libc::open(c(path).as_ptr(), flags, 0o600) }
}

pub fn read(path: impl Into<Vec<u8>>) -> i32 {
    open(path, libc::O_RDONLY)
}

pub fn rename(from: &str, to: &str) -> i32 {
    call!(libc::rename(c(from).as_ptr(), c(to).as_ptr()))
}

pub fn link(from: &str, to: &str) -> i32 {
    call!(libc::link(c(from).as_ptr(), c(to).as_ptr()))
}

pub fn symlink(target: &str, at: &str) -> i32 {
    call!(libc::symlink(c(target).as_ptr(), c(at).as_ptr()))
}

pub fn mkdir(path: &str) -> i32 {
    call!(libc::mkdir(c(path).as_ptr(), 0o700))
}

/// Forks, runs `body` in the child, and gives its result.
pub fn in_fork(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child leaves by _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            libc::_exit(result.unwrap_or(101));
        }
        wait(pid)
    }
}

/// Exit status of a child; 128 and the signal when it was killed.
pub fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid.
    unsafe {
        if libc::waitpid(pid, &raw mut status, 0) < 0 {
            return errno(-1);
        }
    }
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    }
}

/// The errno of an execve in a child, 0 when the program ran.
pub fn exec(path: &str, arguments: &[&str]) -> i32 {
    let texts: Vec<_> = arguments.iter().map(|text| c(*text)).collect();
    let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let path = c(path);
    let environment = [std::ptr::null()];
    let (read, write) = crate::guest::pipe();
    use std::os::fd::AsRawFd;
    // SAFETY: lists end with null; the child leaves by exec or _exit.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let quiet = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            libc::dup2(quiet, 1);
            libc::dup2(quiet, 2);
            libc::execve(path.as_ptr(), pointers.as_ptr(), environment.as_ptr());
            let error = errno(-1);
            libc::write(write.as_raw_fd(), (&raw const error).cast(), 4);
            libc::_exit(127);
        }
        pid
    };
    drop(write);
    let mut error = [0; 4];
    let failed = {
        use std::io::Read;
        std::fs::File::from(read).read_exact(&mut error).is_ok()
    };
    wait(pid);
    if failed { i32::from_ne_bytes(error) } else { 0 }
}

/// The errno of mount(2); `kind` is empty where none is needed.
pub fn mount(from: &str, to: &str, kind: &str, flags: libc::c_ulong, data: &str) -> i32 {
    let (from, to, kind, data) = (c(from), c(to), c(kind), c(data));
    call!(libc::mount(
        from.as_ptr(),
        to.as_ptr(),
        kind.as_ptr(),
        flags,
        data.as_ptr().cast()
    ))
}
