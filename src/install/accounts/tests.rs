use std::path::Path;

use super::*;
use crate::install::layout::Layout;

fn target(folder: &Path) -> Target {
    Target::new(
        folder,
        Layout::new(Path::new("/usr/local")).expect("a prefix"),
    )
}

#[test]
fn the_server_has_one_user_and_the_others_none() {
    let users = of(Role::Server);
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].name, "tyr");
    assert_eq!(users[0].home, "/var/lib/tyr/server");
    assert!(users[0].shell.ends_with("/nologin"));
    assert!(of(Role::Cli).is_empty() && of(Role::Daemon).is_empty());
}

#[test]
fn every_line_that_names_a_user_is_read() {
    for item in ITEMS.iter().filter(|item| item.folder == Folder::Users) {
        let Content::File(text) = item.content else {
            panic!("{} is text", item.name);
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            assert!(user(line).is_some(), "{}: {line}", item.name);
        }
    }
}

#[test]
fn a_user_is_made_once_with_the_highest_free_number_and_taken_away_without_a_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path());
    fs::create_dir(folder.path().join("etc")).expect("made");
    let tables = [
        (
            "passwd",
            "root:x:0:0::/root:/bin/sh\nold:x:999:999::/:/bin/sh\n",
        ),
        ("group", "root:x:0:\nold:x:999:\nother:x:998:\n"),
        ("shadow", "root:*:1::::::"),
    ];
    for (name, text) in tables {
        fs::write(folder.path().join("etc").join(name), text).expect("written");
    }
    let user = &of(Role::Server)[0];
    make(&target, user).expect("made");
    make(&target, user).expect("there");
    assert_eq!(find(&target, "tyr"), Some((997, 997)));
    let read = |name: &str| fs::read_to_string(folder.path().join("etc").join(name));
    assert_eq!(
        read("passwd").expect("read").lines().last(),
        Some("tyr:x:997:997:Tyr server:/var/lib/tyr/server:/usr/sbin/nologin")
    );
    // The last line had no end of its own.
    assert_eq!(
        read("shadow").expect("read"),
        "root:*:1::::::\ntyr:!*:::::::\n"
    );
    assert!(read("gshadow").is_err(), "a system without one gets none");
    remove(&target, "tyr").expect("removed");
    assert_eq!(find(&target, "tyr"), None);
    for (name, text) in tables {
        assert_eq!(read(name).expect("read").trim_end(), text.trim_end());
    }
}

#[test]
fn an_empty_root_gets_its_first_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path());
    make(&target, &of(Role::Server)[0]).expect("made");
    assert_eq!(find(&target, "tyr"), Some((999, 999)));
}

#[test]
fn a_full_table_is_an_error_that_names_the_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path());
    fs::create_dir(folder.path().join("etc")).expect("made");
    let full: String = NUMBERS.map(|n| format!("u{n}:x:{n}:{n}::/:\n")).collect();
    fs::write(folder.path().join("etc/passwd"), full).expect("written");
    let error = make(&target, &of(Role::Server)[0]).expect_err("no number");
    assert!(error.to_string().contains("`tyr`"), "{error}");
}
