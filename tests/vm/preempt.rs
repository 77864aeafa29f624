//! Threads of one CPU that interrupt one another while their paths are walked. With
//! `preempt=full` on the kernel's command line a walk is interrupted anywhere.

use std::sync::atomic::{AtomicU32, Ordering};

use tyr::kernel::record::{Object, Record};
use tyr::model::verdict::Verdict;

use crate::guest::*;

const THREADS: u32 = 8;
/// Of all threads together, unless `RACE_ATTEMPTS` asks for more.
const ATTEMPTS: u32 = 16_000;
/// Twelve folders of this many bytes make a walk long enough to be interrupted.
const DEPTH: usize = 12;
const NAME_BYTES: usize = 250;

/// A file 3 KB deep, of folders named by one letter.
fn deep(top: &str, letter: &str, name: &str) -> String {
    let mut path = top.to_owned();
    for _ in 0..DEPTH {
        path = format!("{path}/{}", letter.repeat(NAME_BYTES));
    }
    std::fs::create_dir_all(&path).expect("folders");
    let file = format!("{path}/{name}");
    std::fs::write(&file, "content").expect("a file");
    file
}

fn attempts() -> u32 {
    let asked = std::env::var("RACE_ATTEMPTS").ok();
    asked.map_or(ATTEMPTS, |text| text.parse().expect("a number"))
}

fn pin_to_first_cpu() {
    // SAFETY: a zeroed set is an empty set, and it lives through the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        assert_eq!(
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
            0
        );
    }
}

/// Errors of the opens of one path: how many were EPERM, how many worked.
fn open_often(path: &str, times: u32, refused: &AtomicU32, opened: &AtomicU32) {
    pin_to_first_cpu();
    let path = c(path);
    for _ in 0..times {
        // SAFETY: the path ends with NUL; what was opened is closed.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
            if fd >= 0 {
                opened.fetch_add(1, Ordering::Relaxed);
                libc::close(fd);
            } else if errno(i64::from(fd)) == libc::EPERM {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn threads_that_interrupt_each_other_keep_their_own_paths() {
    let top = folder("preempt");
    let top = top.to_str().expect("plain text");
    let (secret, plain) = (deep(top, "s", "secret"), deep(top, "p", "plain"));
    let _turn = policy(&deny("file_read", &secret));
    let each = attempts() / THREADS;
    let wrong = as_agent(|| {
        let counts: [AtomicU32; 4] = Default::default();
        let [refused, opened, refused_plain, opened_plain] = &counts;
        std::thread::scope(|scope| {
            for _ in 0..THREADS / 2 {
                scope.spawn(|| open_often(&secret, each, refused, opened));
                scope.spawn(|| open_often(&plain, each, refused_plain, opened_plain));
            }
        });
        let all = each * THREADS / 2;
        let [refused, opened, refused_plain, opened_plain] =
            counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        println!(
            "secret: {refused} refused, {opened} opened; plain: {refused_plain} refused, {opened_plain} opened"
        );
        i32::from((refused, opened, refused_plain, opened_plain) != (all, 0, 0, all))
    });
    assert_eq!(wrong, 0, "an open got the answer of another path");
    // Every record that arrived names the path that its verdict belongs to.
    denied(&secret);
    let ends = records(|record| match record {
        Record::Operation(_, operation) => match &operation.object {
            Object::File(place) if place.path.len() > DEPTH * NAME_BYTES => {
                Some((place.path.clone(), operation.verdict == Verdict::Deny))
            }
            _ => None,
        },
        _ => None,
    });
    assert!(!ends.is_empty());
    for (path, is_denied) in ends {
        let expected = if is_denied { &secret } else { &plain };
        assert!(
            expected.as_bytes().ends_with(&path),
            "a record with another path"
        );
    }
    assert_eq!(counts()["faults"], 0);
}
