//! Names: moved, long, and of any bytes.

use std::os::unix::ffi::OsStrExt;

use libc::EPERM;
use tyr::kernel::record::Reason;

use crate::guest::*;
use crate::syscall::*;

#[test]
fn a_new_name_loses_no_rule() {
    let dir = folder("move");
    fill(&dir, &["secret", "plain"]);
    for name in ["keys", "keys/deep", "build"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    fill(&dir.join("keys"), &["id"]);
    fill(&dir.join("build"), &["out"]);
    let _turn = policy(&format!(
        "{}{}{}",
        deny("file_read", "/tmp/vm/move/secret"),
        deny("file_read", "/tmp/vm/move/keys/**"),
        deny("file_read", "/tmp/vm/move/other/secrets/**")
    ));
    let path = |name: &str| format!("/tmp/vm/move/{name}");
    assert_eq!(
        as_agent(|| link(&path("secret"), &path("hard"))),
        EPERM,
        "hard link"
    );
    assert_eq!(
        as_agent(|| rename(&path("secret"), &path("moved"))),
        EPERM,
        "file"
    );
    assert_eq!(
        as_agent(|| rename(&path("keys"), &path("away"))),
        EPERM,
        "directory"
    );
    assert_eq!(
        as_agent(|| rename(&path("keys/id"), &path("id"))),
        EPERM,
        "out of the directory"
    );
    assert_eq!(
        as_agent(|| {
            let (from, to) = (c(path("plain")), c(path("secret")));
            let exchange = libc::RENAME_EXCHANGE;
            call!(libc::renameat2(
                -100,
                from.as_ptr(),
                -100,
                to.as_ptr(),
                exchange
            ))
        }),
        EPERM,
        "exchange"
    );
    let moved = decision(|operation| operation.reason == Reason::Moved);
    assert!(!moved.monitored);
    assert_eq!(as_agent(|| rename(&path("plain"), &path("plainer"))), 0);
    assert_eq!(
        as_agent(|| rename(&path("build"), &path("built"))),
        0,
        "an ordinary directory"
    );
    assert_eq!(
        as_stranger(|| link(&path("secret"), &path("hard"))),
        0,
        "the attack works"
    );
    assert_eq!(
        as_stranger(|| rename(&path("keys"), &path("away"))),
        0,
        "the attack works"
    );
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_symlink_leads_around_no_rule() {
    let dir = folder("detour");
    for name in ["home", "home/.config", "other", "other/spare"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/tmp", dir.join("other/link")).unwrap();
    let _turn = policy(&format!(
        "{}{}{}",
        deny("file_write", "/tmp/vm/detour/home/.config/autostart/**"),
        deny("file_write", "/tmp/vm/detour/home/*/fixed/**"),
        deny("file_read", "**/.env"),
    ));
    let path = |name: &str| format!("/tmp/vm/detour/{name}");
    let symlink = |name: &str| {
        let (to, name) = (c("/tmp/vm/detour/other"), c(path(name)));
        as_agent(|| call!(libc::symlink(to.as_ptr(), name.as_ptr())))
    };
    let from = || path("other/link");
    assert_eq!(
        symlink("home/.config/autostart"),
        EPERM,
        "the folder of a rule"
    );
    assert_eq!(symlink("home/.config/other"), 0, "its neighbour");
    assert_eq!(symlink("home/any"), 0, "as any other name there");
    assert_eq!(symlink("other/.env"), 0, "nothing below it is named");
    let to = path("home/.config/autostart");
    assert_eq!(as_agent(|| rename(&from(), &to)), EPERM, "rename");
    assert_eq!(as_agent(|| link(&from(), &to)), EPERM, "hard link");
    let exchange = |from: String, to: String| {
        let (from, to) = (c(from), c(to));
        let how = libc::RENAME_EXCHANGE;
        as_agent(|| call!(libc::renameat2(-100, from.as_ptr(), -100, to.as_ptr(), how)))
    };
    assert_eq!(exchange(path("other/spare"), from()), 0);
    assert_eq!(exchange(path("other/spare"), from()), 0);
    std::fs::create_dir(&to).unwrap();
    assert_eq!(exchange(to.clone(), from()), EPERM, "exchange");
    assert_eq!(exchange(from(), to), EPERM, "exchange");
    assert_eq!(counts()["faults"], 0);
}

fn metadata_dev(path: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().dev()
}

/// A path of exactly `length` bytes below the test's folder, of directories that exist.
fn long_path(length: usize) -> Vec<Vec<u8>> {
    let mut names = vec![b"tmp".to_vec(), b"vm".to_vec(), b"long".to_vec()];
    let mut left = length - "/tmp/vm/long".len();
    while left > 0 {
        // Never leave a rest that is too short for a slash and a name.
        let take = if left <= 251 { left } else { 251.min(left - 2) };
        names.push(vec![b'd'; take - 1]);
        left -= take;
    }
    names
}

/// Enters all but the last name, making what is missing, and opens the last for writing.
fn make(names: &[Vec<u8>]) -> i32 {
    walk(names, libc::O_CREAT | libc::O_WRONLY, true)
}

fn walk(names: &[Vec<u8>], flags: i32, create: bool) -> i32 {
    // SAFETY: names end with NUL.
    unsafe {
        let mut at = libc::open(c"/".as_ptr(), libc::O_PATH);
        let (last, folders) = names.split_last().unwrap();
        for name in folders {
            let name = c(name.clone());
            if create {
                libc::mkdirat(at, name.as_ptr(), 0o755);
            }
            let next = libc::openat(at, name.as_ptr(), libc::O_PATH | libc::O_DIRECTORY);
            libc::close(at);
            at = next;
        }
        let fd = libc::openat(at, c(last.clone()).as_ptr(), flags, 0o600);
        let error = errno(i64::from(fd));
        libc::close(fd);
        libc::close(at);
        error
    }
}

#[test]
fn long_paths_are_matched_or_denied() {
    folder("long");
    let _turn = policy(&deny("file_read", "/tmp/vm/long/**"));
    // What counts is the path inside the file system, and /tmp is one of its own.
    assert_ne!(metadata_dev("/tmp"), metadata_dev("/"));
    for length in [200, 255, 256, 1000, 4096, 4100] {
        let names = long_path(length);
        assert_eq!(
            names.iter().map(|name| name.len() + 1).sum::<usize>(),
            length
        );
        assert_eq!(make(&names), 0, "{length}");
        assert_eq!(
            as_agent(|| walk(&names, libc::O_RDONLY, false)),
            EPERM,
            "{length}"
        );
        let exact = decision(|operation| match &operation.object {
            tyr::kernel::record::Object::File(place) => {
                operation.reason == Reason::Cell && place.path.ends_with(names.last().unwrap())
            }
            _ => false,
        });
        assert!(exact.matched, "{length}");
        std::fs::remove_dir_all("/tmp/vm/long").unwrap();
        folder("long");
    }
    for length in [4101, 8000] {
        let names = long_path(length);
        assert_eq!(make(&names), 0, "{length}");
        assert_eq!(
            as_agent(|| walk(&names, libc::O_RDONLY, false)),
            EPERM,
            "{length}"
        );
        decision(|operation| operation.reason == Reason::TooLong);
    }
    // The same path under a policy that denies nothing of the kind is free.
    install(&deny("exec", "/nowhere"));
    assert_eq!(
        as_agent(|| walk(&long_path(8000), libc::O_RDONLY, false)),
        0
    );
}

#[test]
fn names_are_bytes() {
    let dir = folder("bytes");
    let names: [&[u8]; 4] = [b"k\xff\xfe", b"new\nline", b"esc\x1b[31m", b"a (deleted)"];
    for name in names {
        std::fs::write(dir.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    let _turn = policy(&format!(
        "{}{}",
        deny("file_read", "/tmp/vm/bytes/k??"),
        deny("file_read", "/tmp/vm/bytes/[ne]*")
    ));
    let path = |name: &[u8]| [b"/tmp/vm/bytes/".as_slice(), name].concat();
    for name in &names[..3] {
        assert_eq!(as_agent(|| read(path(name))), EPERM, "{name:?}");
        decision(|operation| match &operation.object {
            tyr::kernel::record::Object::File(place) => place.path.ends_with(name),
            _ => false,
        });
    }
    assert_eq!(as_agent(|| read(path(names[3]))), 0);
}
