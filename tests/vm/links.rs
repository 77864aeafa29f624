//! Hard links: what a rule says of one name of a file holds for the others.

use std::os::fd::AsRawFd;
use std::path::Path;

use libc::EPERM;
use tyr::daemon::kernel::live::Live;
use tyr::kernel::record::Reason;

use crate::daemon::{Daemon, wanted};
use crate::guest::*;
use crate::syscall::*;
use tyr::daemon::kernel::Kernel;

const BASE: &str = "/tmp/vm/links";

fn path(name: &str) -> String {
    format!("{BASE}/{name}")
}

fn setting() {
    let dir = folder("links");
    for name in ["keys", "keys/deep", "out"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    fill(&dir.join("keys"), &["id", "later", "program"]);
    fill(&dir.join("keys/deep"), &["id"]);
    fill(&dir.join("out"), &["plain"]);
}

fn rules() -> String {
    format!(
        "{}{}",
        deny("file_read", &path("keys/**")),
        deny("file_write", &path("keys/later"))
    )
}

/// What an agent of the daemon gets.
fn agent(daemon: &Daemon, body: impl FnOnce() -> i32) -> i32 {
    in_child_with(
        |pid| {
            let agent = tyr::daemon::kernel::RunningAgent {
                pid: pid.cast_unsigned(),
                agent_types: vec![AGENT.to_owned()],
                around: None,
            };
            assert!(daemon.kernel.tag(&[agent]).is_empty(), "tag");
        },
        body,
    )
}

fn lost(kernel: &Live) -> u64 {
    kernel.counters()["links_lost"]
}

#[test]
fn links_made_before_the_policy_are_known() {
    setting();
    assert_eq!(link(&path("keys/id"), &path("out/id")), 0);
    assert_eq!(link(&path("keys/deep/id"), &path("out/deep")), 0);
    assert_eq!(link(&path("out/plain"), &path("out/plain2")), 0);
    let daemon = Daemon::load();
    for round in ["new", "the same rules again"] {
        daemon.put_in_force(&rules());
        for name in ["keys/id", "out/id", "out/deep"] {
            assert_eq!(
                agent(&daemon, || read(path(name))),
                EPERM,
                "{round}: {name}"
            );
        }
        assert_eq!(agent(&daemon, || open(path("out/id"), libc::O_WRONLY)), 0);
        assert_eq!(agent(&daemon, || read(path("out/plain2"))), 0, "{round}");
        assert_eq!(in_fork(|| read(path("out/id"))), 0, "a stranger");
    }
    // The name that the rule knows may not go while others stay.
    let unlink = |name: &str| call!(libc::unlink(c(path(name)).as_ptr()));
    assert_eq!(agent(&daemon, || unlink("keys/id")), EPERM, "unlink");
    assert_eq!(
        agent(&daemon, || rename(&path("keys/program"), &path("keys/id"))),
        EPERM,
        "rename over it"
    );
    assert_eq!(agent(&daemon, || unlink("keys/program")), 0, "an only name");
    assert_eq!(agent(&daemon, || unlink("out/plain2")), 0, "no rule");
    // Other rules make other classes of the same names.
    daemon.put_in_force(&deny("file_write", &path("keys/deep/*")));
    assert_eq!(agent(&daemon, || read(path("out/id"))), 0);
    assert_eq!(agent(&daemon, || read(path("out/deep"))), 0);
    let write = || open(path("out/deep"), libc::O_WRONLY);
    assert_eq!(agent(&daemon, write), EPERM);
    assert_eq!(daemon.kernel.counters()["faults"], 0);
    daemon.rest();
}

#[test]
fn links_made_after_the_policy_by_anybody_are_known() {
    setting();
    let daemon = Daemon::load();
    // A pattern that no search begins with: only the hook can tell.
    let everywhere = format!("{}{}", rules(), deny("file_read", "**/linked-secret"));
    daemon.put_in_force(&everywhere);
    fill(Path::new(&path("out")), &["linked-secret"]);
    assert_eq!(
        agent(&daemon, || link(&path("keys/id"), &path("out/id"))),
        EPERM
    );
    assert_eq!(link(&path("keys/id"), &path("out/id")), 0);
    assert_eq!(link(&path("out/id"), &path("out/id2")), 0);
    assert_eq!(link(&path("out/linked-secret"), &path("out/other")), 0);
    assert_eq!(link(&path("out/plain"), &path("out/moved")), 0);
    assert_eq!(rename(&path("out/moved"), &path("keys/moved")), 0);
    let denied = ["out/id", "out/id2", "out/other", "out/plain"];
    for round in ["the hook", "the next generation"] {
        for name in denied {
            assert_eq!(
                agent(&daemon, || read(path(name))),
                EPERM,
                "{round}: {name}"
            );
        }
        daemon.put_in_force(&everywhere);
    }
    assert_eq!(lost(&daemon.kernel), 0);
    daemon.rest();
}

#[test]
fn a_name_from_a_descriptor_is_a_name() {
    setting();
    let daemon = Daemon::load();
    daemon.put_in_force(&format!(
        "{}{}",
        rules(),
        deny("file_write", &path("out/forbidden"))
    ));
    // What is open before the rules hold, or for writing, is linked by its descriptor.
    let held = std::fs::OpenOptions::new()
        .write(true)
        .open(path("keys/id"))
        .unwrap();
    let descriptor = held.as_raw_fd();
    let empty = || {
        let to = c(path("out/empty"));
        let flags = libc::AT_EMPTY_PATH;
        call!(libc::linkat(
            descriptor,
            c"".as_ptr(),
            -100,
            to.as_ptr(),
            flags
        ))
    };
    let proc = || {
        let from = c(format!("/proc/self/fd/{descriptor}"));
        let to = c(path("out/proc"));
        let flags = libc::AT_SYMLINK_FOLLOW;
        call!(libc::linkat(-100, from.as_ptr(), -100, to.as_ptr(), flags))
    };
    assert_eq!(agent(&daemon, empty), EPERM, "AT_EMPTY_PATH");
    assert_eq!(agent(&daemon, proc), EPERM, "/proc/self/fd");
    assert_eq!(in_fork(empty), 0, "the way itself");
    assert_eq!(in_fork(proc), 0, "the way itself");
    let unnamed = |to: &'static str| {
        move || {
            let folder = c(path("out"));
            // SAFETY: the path ends with NUL.
            let fd = unsafe { libc::open(folder.as_ptr(), libc::O_TMPFILE | libc::O_RDWR, 0o600) };
            assert!(fd >= 0, "O_TMPFILE: {}", errno(-1));
            let from = c(format!("/proc/self/fd/{fd}"));
            let to = c(path(to));
            let flags = libc::AT_SYMLINK_FOLLOW;
            call!(libc::linkat(-100, from.as_ptr(), -100, to.as_ptr(), flags))
        }
    };
    assert_eq!(agent(&daemon, unnamed("out/named")), 0, "O_TMPFILE");
    assert_eq!(agent(&daemon, unnamed("out/forbidden")), EPERM, "O_TMPFILE");
    std::fs::remove_file(path("keys/later")).unwrap();
    assert_eq!(agent(&daemon, unnamed("keys/later")), EPERM, "O_TMPFILE");
    daemon.rest();
}

#[test]
fn an_event_names_the_other_link() {
    setting();
    assert_eq!(link(&path("keys/id"), &path("out/id")), 0);
    let _turn = policy(&rules());
    let compiled = crate::guest::compiled(&rules());
    let mounts = tyr::kernel::mounts::Mounts::read().unwrap();
    let (dev, inside) = mounts.inside(path("keys/id").as_bytes()).unwrap();
    use std::os::unix::fs::MetadataExt;
    let name = tyr::kernel::links::LinkName {
        dev,
        ino: std::fs::metadata(path("keys/id")).unwrap().ino(),
        path: Some(inside.clone()),
    };
    let generation = GUEST.programs.generation().unwrap();
    let names = [name.clone()].into();
    let lost = GUEST.programs.keep_links(generation, &compiled, &names);
    assert_eq!(lost.unwrap(), 0);
    assert_eq!(as_agent(|| read(path("out/id"))), EPERM);
    let seen = decision(|operation| operation.reason == Reason::Linked);
    assert!(seen.matched);
    let kept = GUEST.programs.link_paths(generation, dev, name.ino);
    assert_eq!(kept.unwrap(), [inside]);
    // Other tests leave links of their own.
    assert!(GUEST.programs.links(0).unwrap().contains(&name));
    GUEST.programs.forget_links(0).unwrap();
    assert_eq!(as_agent(|| read(path("out/id"))), 0, "it was that entry");
}

#[test]
fn many_names_are_all_denied() {
    setting();
    let rules: String = (0..6)
        .map(|at| deny("file_read", &path(&format!("many/{}", "n".repeat(at + 1)))))
        .collect();
    std::fs::create_dir(path("many")).unwrap();
    fill(Path::new(&path("many")), &["n"]);
    for at in 1..6 {
        let name = format!("many/{}", "n".repeat(at + 1));
        assert_eq!(link(&path("many/n"), &path(&name)), 0);
    }
    assert_eq!(link(&path("many/n"), &path("out/free")), 0);
    let daemon = Daemon::load();
    let in_force = daemon.kernel.put_in_force(&wanted(effective(&rules)));
    assert_eq!(in_force.expect("in force").limits, [] as [String; 0]);
    assert_eq!(agent(&daemon, || read(path("out/free"))), EPERM);
    daemon.release();
}
