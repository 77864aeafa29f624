//! Mounts that an agent makes, and mounts of containers.

use std::path::Path;

use libc::EPERM;

use crate::guest::*;
use crate::syscall::*;

const BASE: &str = "/tmp/vm/mounts";

const ADDRESSES: &str = "  - name: net
    action: net_connect
    cidr_deny: ['192.0.2.1/32']
    verdict: deny
";

fn path(name: &str) -> String {
    format!("{BASE}/{name}")
}

fn umount(at: &str) -> i32 {
    call!(libc::umount2(c(at).as_ptr(), libc::MNT_DETACH))
}

/// A detached copy of a mount, put somewhere: open_tree(2) and move_mount(2).
fn clone_to(from: &str, to: &str) -> i32 {
    let (from, to) = (c(from), c(to));
    // SAFETY: paths end with NUL; OPEN_TREE_CLONE.
    let tree = unsafe { libc::syscall(libc::SYS_open_tree, -100, from.as_ptr(), 1) };
    if tree < 0 {
        return errno(tree);
    }
    // MOVE_MOUNT_F_EMPTY_PATH
    call!(libc::syscall(
        libc::SYS_move_mount,
        tree,
        c"".as_ptr(),
        -100,
        to.as_ptr(),
        4
    ))
}

/// A new tmpfs by fsopen(2), fsconfig(2), fsmount(2), put somewhere.
fn new_tmpfs(to: &str) -> i32 {
    let to = c(to);
    // SAFETY: strings end with NUL; FSCONFIG_CMD_CREATE, MOVE_MOUNT_F_EMPTY_PATH.
    unsafe {
        let context = libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0);
        assert!(context >= 0, "fsopen");
        let null = std::ptr::null::<u8>();
        assert_eq!(
            libc::syscall(libc::SYS_fsconfig, context, 6, null, null, 0),
            0
        );
        let mount = libc::syscall(libc::SYS_fsmount, context, 0, 0);
        assert!(mount >= 0, "fsmount");
        errno(libc::syscall(
            libc::SYS_move_mount,
            mount,
            c"".as_ptr(),
            -100,
            to.as_ptr(),
            4,
        ))
    }
}

fn propagate(kind: libc::c_ulong) {
    assert_eq!(
        mount("", "/", "", libc::MS_REC | kind, ""),
        0,
        "propagation"
    );
}

fn namespace(flags: i32) {
    assert_eq!(call!(libc::unshare(flags | libc::CLONE_NEWNS)), 0);
    if flags & libc::CLONE_NEWUSER != 0 {
        std::fs::write("/proc/self/setgroups", "deny").unwrap();
        std::fs::write("/proc/self/uid_map", "0 0 1").unwrap();
        std::fs::write("/proc/self/gid_map", "0 0 1").unwrap();
    }
}

fn setting() {
    folder("mounts");
    for name in ["keys", "point", "other", "work", "work/x", "around"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    fill(Path::new(&path("keys")), &["id"]);
}

fn rules() -> String {
    format!(
        "  - name: work\n    action: file_read\n    resource_pattern: '{BASE}/work/**'\n    \
         verdict: allow\n{}",
        deny("file_read", &format!("{BASE}/keys/**"))
    )
}

#[test]
fn a_governed_root_gives_nothing_another_name_on_the_host() {
    setting();
    let _turn = policy(&rules());
    let (keys, point, work) = (path("keys"), path("point"), path("work/x"));
    let ways: [(&str, Way<'_>); 9] = [
        (
            "bind where more is allowed",
            Box::new(|| mount(&keys, &work, "", libc::MS_BIND, "")),
        ),
        (
            "bind called shared",
            Box::new(|| mount(&keys, &work, "", libc::MS_BIND | libc::MS_SHARED, "")),
        ),
        ("detached copy", Box::new(|| clone_to(&keys, &work))),
        (
            "a copy of what is around",
            Box::new(|| clone_to(BASE, &path("around"))),
        ),
        ("over what is denied", Box::new(|| clone_to(&point, &keys))),
        (
            "new file system",
            Box::new(|| mount("tmpfs", &point, "tmpfs", 0, "")),
        ),
        (
            "new file system over what is denied",
            Box::new(|| new_tmpfs(&keys)),
        ),
        (
            "overlay over the folder",
            Box::new(|| {
                let lower = format!("lowerdir={keys}:{}", path("other"));
                mount("overlay", &work, "overlay", 0, &lower)
            }),
        ),
        (
            "in a namespace that shares its mounts with the host",
            Box::new(|| {
                namespace(0);
                mount(&keys, &work, "", libc::MS_BIND, "")
            }),
        ),
    ];
    propagate(libc::MS_SHARED);
    for (name, way) in &ways {
        assert_eq!(as_agent(way), EPERM, "{name}");
    }
    decision(|operation| operation.reason == tyr::kernel::record::Reason::Moved);
    assert_eq!(
        as_agent(|| clone_to(&point, &path("other"))),
        0,
        "same rules"
    );
    assert_eq!(umount(&path("other")), 0);
    assert_eq!(as_agent(|| new_tmpfs(&point)), 0, "empty, same rules");
    assert_eq!(umount(&point), 0);
    assert_eq!(mount("tmpfs", &point, "tmpfs", 0, ""), 0);
    assert_eq!(as_agent(|| umount(&point)), EPERM, "umount");
    assert_eq!(umount(&point), 0);
    for (name, way) in &ways[..3] {
        assert_eq!(as_stranger(way), 0, "{name}: the way itself does not work");
        assert_eq!(umount(&work), 0);
    }
    install(ADDRESSES);
    assert_eq!(as_agent(|| new_tmpfs(&point)), 0, "no rule about paths");
    assert_eq!(as_agent(|| umount(&point)), 0, "no rule about paths");
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn who_may_not_mount_is_refused_by_the_kernel_alone() {
    setting();
    let _turn = policy(&rules());
    let point = path("point");
    let attempt = || mount("tmpfs", &point, "tmpfs", 0, "");
    let before = counts()["denied"];
    let as_user = as_agent(|| {
        // SAFETY: no pointers.
        unsafe { libc::setresuid(1001, 1001, 1001) };
        attempt()
    });
    assert_eq!(as_user, EPERM);
    let in_user_namespace = as_agent(|| {
        assert_eq!(call!(libc::unshare(libc::CLONE_NEWUSER)), 0);
        attempt()
    });
    assert_eq!(in_user_namespace, EPERM, "capable, but not of these mounts");
    assert_eq!(counts()["denied"], before, "no denial of Tyr's");
    assert_eq!(as_agent(attempt), EPERM);
    assert_eq!(counts()["denied"], before + 1, "the same by root is one");
}

#[test]
fn a_namespace_of_its_own_gives_nothing_a_name() {
    setting();
    let _turn = policy(&rules());
    let (keys, work) = (path("keys"), path("work/x"));
    for (name, flags) in [("user namespace", libc::CLONE_NEWUSER), ("root", 0)] {
        let opened = as_agent(|| {
            namespace(flags);
            propagate(libc::MS_PRIVATE);
            assert_eq!(mount(&keys, &work, "", libc::MS_BIND, ""), 0, "{name}");
            read(format!("{work}/id"))
        });
        assert_eq!(opened, EPERM, "{name}: bind");
        let opened = as_agent(|| {
            namespace(flags);
            propagate(libc::MS_PRIVATE);
            assert_eq!(mount("tmpfs", &work, "tmpfs", 0, ""), 0, "{name}");
            open(format!("{work}/new"), libc::O_RDWR | libc::O_CREAT)
        });
        assert_eq!(opened, 0, "{name}: what is only there is its own");
        let opened = as_agent(|| {
            namespace(flags);
            propagate(libc::MS_PRIVATE);
            assert_eq!(mount(BASE, BASE, "", libc::MS_BIND, ""), 0, "{name}");
            let old = path("around");
            let (new, old) = (c(BASE), c(old));
            assert_eq!(
                call!(libc::syscall(
                    libc::SYS_pivot_root,
                    new.as_ptr(),
                    old.as_ptr()
                )),
                0,
                "{name}"
            );
            read("/keys/id")
        });
        assert_eq!(opened, EPERM, "{name}: pivot_root");
    }
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_directory_without_a_place_is_denied() {
    setting();
    let point = path("point");
    assert_eq!(mount("tmpfs", &point, "tmpfs", 0, ""), 0);
    std::fs::create_dir(path("point/in")).unwrap();
    fill(Path::new(&path("point/in")), &["file"]);
    let _turn = policy(&rules());
    assert_eq!(as_agent(|| read(path("point/in/file"))), 0);
    let folder = descriptor(&path("point/in"), libc::O_PATH);
    let inside = || call!(libc::openat(folder, c"file".as_ptr(), libc::O_RDONLY));
    assert_eq!(umount(&point), 0);
    install(&rules());
    assert_eq!(as_stranger(inside), 0, "lazily unmounted, still open");
    assert_eq!(as_agent(inside), EPERM, "lazily unmounted");
    // SAFETY: ours.
    unsafe { libc::close(folder) };
}
