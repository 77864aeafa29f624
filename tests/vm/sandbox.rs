//! Sandboxes that agents make for what they run: namespaces with file systems of their own.

use std::path::Path;

use libc::EPERM;

use crate::guest::*;
use crate::syscall::*;

const BASE: &str = "/tmp/vm/sandbox";

fn path(name: &str) -> String {
    format!("{BASE}/{name}")
}

fn setting() {
    let dir = folder("sandbox");
    for name in ["root", "keys", "upper", "work"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    fill(&dir.join("keys"), &["id"]);
}

/// Namespaces as an unprivileged sandbox makes them, or a governed root.
fn namespaces(flags: i32) {
    let all = flags | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
    assert_eq!(call!(libc::unshare(all)), 0, "unshare");
    if flags & libc::CLONE_NEWUSER != 0 {
        std::fs::write("/proc/self/setgroups", "deny").unwrap();
        std::fs::write("/proc/self/uid_map", "0 0 1").unwrap();
        std::fs::write("/proc/self/gid_map", "0 0 1").unwrap();
    }
    let private = libc::MS_REC | libc::MS_PRIVATE;
    assert_eq!(mount("", "/", "", private, ""), 0, "private");
}

/// What `body` gets as an agent in namespaces of its own, with a new file system at `root`.
fn inside(flags: i32, kind: &'static str, data: &str, body: impl FnOnce() -> i32) -> i32 {
    as_agent(|| {
        namespaces(flags);
        // The first child is the first process of the new pid namespace, which procfs needs.
        in_fork(|| {
            assert_eq!(mount(kind, &path("root"), kind, 0, data), 0, "{kind}");
            body()
        })
    })
}

/// Options of an overlay over `keys`.
fn overlay_data() -> String {
    format!(
        "lowerdir={},upperdir={},workdir={}",
        path("keys"),
        path("upper"),
        path("work")
    )
}

fn rules() -> String {
    [
        deny("file_read", &path("keys/**")),
        deny("file_read", &path("root/secret")),
        deny("file_read", "/private:tmpfs/forbidden"),
        deny("file_read", "/proc/version"),
        deny("file_write", &path("keys/**")),
        deny("file_write", "**/credentials"),
    ]
    .concat()
}

#[test]
fn its_file_systems_are_its_own() {
    setting();
    let _turn = policy(&rules());
    for flags in [libc::CLONE_NEWUSER, 0] {
        let make = |name: &'static str| {
            move || open(path(&format!("root/{name}")), libc::O_RDWR | libc::O_CREAT)
        };
        let tmpfs = |name| inside(flags, "tmpfs", "", make(name));
        assert_eq!(tmpfs("new"), 0, "{flags}");
        assert_eq!(tmpfs("secret"), 0, "{flags}: no file of the host");
        assert_eq!(tmpfs("forbidden"), EPERM, "{flags}: named as what it is");
        assert_eq!(tmpfs("credentials"), EPERM, "{flags}: any file of the name");
        let renamed = inside(flags, "tmpfs", "", || {
            fill(Path::new(&path("root")), &["a"]);
            rename(&path("root/a"), &path("root/credentials"))
        });
        assert_eq!(renamed, EPERM, "{flags}: renamed to it");
        let moved = inside(flags, "tmpfs", "", || {
            fill(Path::new(&path("root")), &["a"]);
            std::fs::create_dir(path("root/d")).unwrap();
            rename(&path("root/a"), &path("root/d/b"))
        });
        assert_eq!(moved, 0, "{flags}: renamed");
    }
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn file_systems_of_the_kernel_have_the_names_of_the_hosts() {
    setting();
    let _turn = policy(&rules());
    for flags in [libc::CLONE_NEWUSER, 0] {
        let proc = |name: &'static str| {
            inside(flags, "proc", "", move || {
                read(path(&format!("root/{name}")))
            })
        };
        assert_eq!(proc("version"), EPERM, "{flags}");
        assert_eq!(proc("uptime"), 0, "{flags}");
        assert_eq!(proc("self/status"), 0, "{flags}");
        let queue = inside(flags, "mqueue", "", || {
            open(path("root/new"), libc::O_RDWR | libc::O_CREAT)
        });
        assert_eq!(queue, 0, "{flags}");
    }
}

#[test]
fn what_shows_other_files_has_no_name() {
    setting();
    let _turn = policy(&rules());
    let data = overlay_data();
    let seen = inside(libc::CLONE_NEWUSER, "overlay", &data, || {
        read(path("root/id"))
    });
    assert_eq!(seen, EPERM, "an overlay over what is denied");
    // What somebody else mounted was not filled by the agent.
    let others = in_fork(|| {
        assert_eq!(call!(libc::unshare(libc::CLONE_NEWNS)), 0);
        let private = libc::MS_REC | libc::MS_PRIVATE;
        assert_eq!(mount("", "/", "", private, ""), 0);
        assert_eq!(mount("tmpfs", &path("root"), "tmpfs", 0, ""), 0);
        fill(Path::new(&path("root")), &["secret"]);
        as_agent(|| read(path("root/secret")))
    });
    assert_eq!(others, EPERM, "a tmpfs of another process");
}

#[test]
fn what_has_no_name_meets_a_rule_about_every_name() {
    setting();
    let all =
        "  - name: all\n    action: file_read\n    resource_pattern: '**'\n    verdict: allow\n";
    let data = overlay_data();
    let overlay = |way: fn(String) -> i32| {
        inside(libc::CLONE_NEWUSER, "overlay", &data, || {
            way(path("root/id"))
        })
    };
    let reading: fn(String) -> i32 = |path| read(path);
    let writing: fn(String) -> i32 = |path| open(path, libc::O_WRONLY);
    let _turn = policy(&format!("{}{all}", rules()));
    assert_eq!(overlay(reading), EPERM, "denials come first");
    install(&format!("{all}{}", rules()));
    assert_eq!(overlay(reading), 0, "whatever its path is");
    assert_eq!(overlay(writing), EPERM, "of another action");
}
