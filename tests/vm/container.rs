//! Agents in mount namespaces that are not the host's, under the daemon's own kernel.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use libc::EPERM;
use tyr::daemon::kernel::{Kernel, RunningAgent, Wanted};

use crate::daemon::{Daemon, wanted};
use crate::guest::*;
use crate::syscall::*;

const BASE: &str = "/tmp/vm/container";
const SECRET: &str = "/tmp/vm/container/inside/secret";
const OTHER: &str = "/tmp/vm/container/inside/other";

/// A process that does one thing before and one after the test has had its say.
struct Child {
    pid: i32,
    ready: File,
    go: File,
}

impl Child {
    fn start(before: impl FnOnce(), after: impl FnOnce() -> i32) -> Child {
        let (ready, child_ready) = pipe();
        let (child_go, go) = pipe();
        // SAFETY: the child leaves by _exit.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            let body = || {
                before();
                tell(child_ready);
                hear(child_go);
                after()
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(result.unwrap_or(101)) };
        }
        drop((child_ready, child_go));
        let mut child = Child {
            pid,
            ready: File::from(ready),
            go: File::from(go),
        };
        child.ready.read_exact(&mut [0]).expect("it gets ready");
        child
    }

    fn tag(&self, daemon: &Daemon) {
        let agent = RunningAgent {
            pid: self.pid.cast_unsigned(),
            agent_types: vec![AGENT.to_owned()],
            around: None,
        };
        assert!(daemon.kernel.tag(&[agent]).is_empty(), "tag");
    }

    fn finish(mut self) -> i32 {
        self.go.write_all(b"g").expect("it waits");
        wait(self.pid)
    }
}

fn tell(pipe: OwnedFd) {
    File::from(pipe).write_all(b"r").expect("the test waits");
}

fn hear(pipe: OwnedFd) {
    File::from(pipe)
        .read_exact(&mut [0])
        .expect("the test answers");
}

fn own_mounts(flags: i32) {
    assert_eq!(
        call!(libc::unshare(flags | libc::CLONE_NEWNS)),
        0,
        "unshare"
    );
    if flags & libc::CLONE_NEWUSER != 0 {
        std::fs::write("/proc/self/setgroups", "deny").unwrap();
        std::fs::write("/proc/self/uid_map", "0 0 1").unwrap();
        std::fs::write("/proc/self/gid_map", "0 0 1").unwrap();
    }
    let (none, root) = (std::ptr::null(), c"/".as_ptr());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let made = call!(libc::mount(none, root, none, private, none.cast()));
    assert_eq!(made, 0, "private");
}

/// A tmpfs with two files in it, in this process's namespace.
fn fill_inside() {
    let point = Path::new(BASE).join("inside");
    crate::daemon::mount_tmpfs(&point);
    fill(&point, &["secret", "other"]);
}

fn setting() -> Daemon {
    let dir = folder("container");
    std::fs::create_dir(dir.join("inside")).unwrap();
    Daemon::load()
}

/// Limits that a policy has on this host now.
fn limits(daemon: &Daemon, rules: &str) -> Vec<String> {
    let wanted: Wanted = wanted(effective(rules));
    let in_force = daemon.kernel.put_in_force(&wanted).expect("in force");
    in_force.limits
}

/// What an agent reads when it started in the namespace that `before` makes.
fn reads(daemon: &Daemon, rules: &str, before: fn(), path: &'static str) -> i32 {
    let child = Child::start(before, || read(path));
    child.tag(daemon);
    daemon.put_in_force(rules);
    child.finish()
}

#[test]
fn what_is_mounted_in_a_container_has_its_names() {
    let daemon = setting();
    let rules = deny("file_read", SECRET);
    let container = || {
        own_mounts(0);
        fill_inside();
    };
    assert_eq!(reads(&daemon, &rules, container, SECRET), EPERM);
    assert_eq!(reads(&daemon, &rules, container, OTHER), 0);
    // The host's own paths of the same objects are matched as well.
    let host = deny("file_read", "/tmp/vm/container/host");
    fill(Path::new(BASE), &["host"]);
    let mounted = || {
        own_mounts(0);
        let (from, to) = (c(BASE), c("/mnt"));
        let null = std::ptr::null();
        let bound = call!(libc::mount(
            from.as_ptr(),
            to.as_ptr(),
            null,
            libc::MS_BIND,
            null.cast()
        ));
        assert_eq!(bound, 0, "bind");
    };
    assert_eq!(reads(&daemon, &host, mounted, "/mnt/host"), EPERM);
    let inside = deny("file_read", "/mnt/host");
    assert_eq!(reads(&daemon, &inside, mounted, "/mnt/host"), EPERM);
    let below_another_root = || {
        own_mounts(0);
        fill_inside();
        let root = c("/tmp/vm/container/inside");
        assert_eq!(call!(libc::chroot(root.as_ptr())), 0, "chroot");
    };
    assert_eq!(reads(&daemon, &rules, below_another_root, "/secret"), EPERM);
    let renamed = deny("file_read", "/secret");
    assert_eq!(
        reads(&daemon, &renamed, below_another_root, "/secret"),
        0,
        "its name is that in the container, not that below another root"
    );
    daemon.release();
}

#[test]
fn a_container_of_a_user_is_not_believed() {
    let daemon = setting();
    let rules = deny("file_read", SECRET);
    let before = || {
        own_mounts(libc::CLONE_NEWUSER);
        fill_inside();
    };
    assert_eq!(reads(&daemon, &rules, before, OTHER), EPERM);
    let child = Child::start(before, || 0);
    child.tag(&daemon);
    let limits = limits(&daemon, &rules);
    assert!(
        limits.iter().any(|limit| limit.contains("user namespace")),
        "{limits:?}"
    );
    assert_eq!(child.finish(), 0);
    daemon.release();
}

#[test]
fn what_an_agent_mounts_itself_has_none_of_the_names() {
    let daemon = setting();
    let rules = deny("file_read", SECRET);
    for flags in [libc::CLONE_NEWUSER, 0] {
        let (ready, child_ready) = pipe();
        let (child_go, go) = pipe();
        let child = Child::start(
            || {},
            move || {
                own_mounts(flags);
                fill_inside();
                tell(child_ready);
                hear(child_go);
                read(SECRET)
            },
        );
        child.tag(&daemon);
        daemon.put_in_force(&rules);
        let pid = child.pid;
        let mut start = child.go;
        start.write_all(b"g").expect("it waits");
        hear(ready);
        let limits = limits(&daemon, &rules);
        assert_eq!(limits.len(), 1, "{limits:?}");
        tell(go);
        assert_eq!(wait(pid), 0, "{flags}: a file of its own");
    }
    daemon.release();
}

#[test]
fn a_new_container_is_noticed() {
    let daemon = setting();
    let stop = AtomicBool::new(false);
    daemon.put_in_force(&deny("file_read", SECRET));
    let child = Child::start(|| own_mounts(0), || 0);
    child.tag(&daemon);
    assert!(daemon.kernel.wait_for_mounts(&stop), "an agent in it");
    daemon.put_in_force(&deny("file_read", SECRET));
    assert_eq!(child.finish(), 0);
    // A mount by somebody else in a container that is known.
    let (ready, child_ready) = pipe();
    let child = Child::start(
        || own_mounts(0),
        || {
            hear(ready);
            0
        },
    );
    child.tag(&daemon);
    daemon.put_in_force(&deny("file_read", SECRET));
    while daemon.kernel.wait_for_mounts(&AtomicBool::new(true)) {}
    let path = c(format!("/proc/{}/ns/mnt", child.pid));
    let mounting = in_fork(|| {
        // SAFETY: the path ends with NUL.
        let namespace = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) };
        assert_eq!(call!(libc::setns(namespace, libc::CLONE_NEWNS)), 0);
        fill_inside();
        0
    });
    assert_eq!(mounting, 0);
    assert!(daemon.kernel.wait_for_mounts(&stop), "a mount in it");
    tell(child_ready);
    assert_eq!(child.finish(), 0);
    daemon.release();
}
