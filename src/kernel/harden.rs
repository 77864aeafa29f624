//! What a process of Tyr does to itself so that others get nothing out of it.

use std::fs;

use super::error::Error;

/// No core dump, no tracing by its own user, and the last one to be killed when memory is short.
/// Returns what was refused, one sentence each.
pub fn harden_process() -> Vec<String> {
    let mut refused = Vec::new();
    let mut check = |what, result: i32| {
        if result != 0 {
            let source = std::io::Error::last_os_error();
            refused.push(Error::Io { what, source }.to_string());
        }
    };
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain numbers, and a structure that lives through the call.
    unsafe {
        check("PR_SET_DUMPABLE", libc::prctl(libc::PR_SET_DUMPABLE, 0));
        check(
            "RLIMIT_CORE",
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none),
        );
    }
    if let Err(error) = fs::write("/proc/self/oom_score_adj", "-1000") {
        refused.push(format!("oom_score_adj: {error}"));
    }
    refused
}
