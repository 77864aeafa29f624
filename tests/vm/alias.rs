//! Other ways to the same object: none of them opens what its real path does not.

use libc::EPERM;

use crate::guest::*;
use crate::syscall::*;

const SECRET: &str = "/tmp/vm/alias/home/.ssh/id";

/// Runs each way as a stranger, where it must work, and as an agent, where it must not.
fn both(name: &str, way: impl Fn() -> i32) {
    assert_eq!(as_stranger(&way), 0, "{name}: the way itself does not work");
    assert_eq!(as_agent(&way), EPERM, "{name}");
}

fn setting() -> Turn {
    let dir = folder("alias");
    std::fs::create_dir_all(dir.join("home/.ssh")).unwrap();
    std::fs::create_dir_all(dir.join("mnt")).unwrap();
    std::fs::create_dir_all(dir.join("empty")).unwrap();
    fill(&dir.join("home/.ssh"), &["id"]);
    std::os::unix::fs::symlink("home", dir.join("link")).unwrap();
    std::fs::hard_link(SECRET, dir.join("home/.ssh/hard")).unwrap();
    policy(&deny("file_read", "/tmp/vm/alias/home/.ssh/*"))
}

#[test]
fn other_names_change_nothing() {
    let _turn = setting();
    both("symlink", || read("/tmp/vm/alias/link/.ssh/id"));
    both("hard link below the same rule", || {
        read("/tmp/vm/alias/home/.ssh/hard")
    });
    both("/proc/self/root", || {
        read(format!("/proc/self/root{SECRET}"))
    });
    both("/proc/self/cwd", || {
        call!(libc::chdir(c"/tmp/vm/alias/home".as_ptr()));
        read("/proc/self/cwd/.ssh/id")
    });
    both("O_PATH opened again", || {
        let fd = descriptor(SECRET, libc::O_PATH);
        read(format!("/proc/self/fd/{fd}"))
    });
    both("openat2 below", || {
        let folder = descriptor("/tmp/vm/alias/home", libc::O_PATH);
        // struct open_how: flags, mode, resolve (RESOLVE_BENEATH)
        let how = [libc::O_RDONLY as u64, 0, 8u64];
        let name = c(".ssh/id");
        call!(libc::syscall(
            libc::SYS_openat2,
            folder,
            name.as_ptr(),
            how.as_ptr(),
            24
        ))
    });
    both("chroot", || {
        call!(libc::chroot(c"/tmp/vm/alias/home".as_ptr()));
        read("/.ssh/id")
    });
    denied(SECRET);
}

#[test]
fn mounts_change_nothing() {
    let _turn = setting();
    let private = || {
        assert_eq!(call!(libc::unshare(libc::CLONE_NEWNS)), 0);
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let (none, root) = (std::ptr::null(), c"/".as_ptr());
        assert_eq!(
            call!(libc::mount(none, root, none, flags, std::ptr::null())),
            0
        );
    };
    let bind = |from: &str, to: &str| {
        let (from, to, none) = (c(from), c(to), std::ptr::null());
        call!(libc::mount(
            from.as_ptr(),
            to.as_ptr(),
            none,
            libc::MS_BIND,
            std::ptr::null()
        ))
    };
    both("bind mount of the folder", || {
        private();
        assert_eq!(bind("/tmp/vm/alias/home/.ssh", "/tmp/vm/alias/mnt"), 0);
        read("/tmp/vm/alias/mnt/id")
    });
    both("detached mount", || {
        let path = c("/tmp/vm/alias/home/.ssh");
        // OPEN_TREE_CLONE
        let tree = unsafe { libc::syscall(libc::SYS_open_tree, -100, path.as_ptr(), 1) };
        assert!(tree >= 0, "open_tree");
        let tree = i32::try_from(tree).unwrap();
        call!(libc::openat(tree, c"id".as_ptr(), libc::O_RDONLY))
    });
    both("detached mount of a user namespace", || {
        let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
        assert_eq!(call!(libc::unshare(flags)), 0);
        let path = c("/tmp/vm/alias/home/.ssh");
        let tree = unsafe { libc::syscall(libc::SYS_open_tree, -100, path.as_ptr(), 1) };
        assert!(tree >= 0, "open_tree");
        let tree = i32::try_from(tree).unwrap();
        call!(libc::openat(tree, c"id".as_ptr(), libc::O_RDONLY))
    });
    both("overlay over the folder", || {
        private();
        let kind = c"overlay".as_ptr();
        let options = c("lowerdir=/tmp/vm/alias/home/.ssh:/tmp/vm/alias/empty");
        let point = c("/tmp/vm/alias/mnt");
        let mounted = call!(libc::mount(
            kind,
            point.as_ptr(),
            kind,
            0,
            options.as_ptr().cast()
        ));
        assert_eq!(mounted, 0, "overlay");
        read("/tmp/vm/alias/mnt/id")
    });
    denied(SECRET);
}
