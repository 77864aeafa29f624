use super::*;
use crate::install::layout::{SETTINGS, STATE};

#[test]
fn every_line_is_read() {
    for item in ITEMS.iter().filter(|item| item.folder == Folder::Folders) {
        let Content::File(text) = item.content else {
            panic!("{} is text", item.name);
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for text in lines.filter(|line| !line.trim().is_empty()) {
            assert!(line(text).is_some(), "{}: {text}", item.name);
        }
    }
}

#[test]
fn server_and_daemon_agree_about_what_both_need() {
    let lines = of(&Role::ALL);
    let mut paths: Vec<&Path> = lines.iter().map(|line| &*line.path).collect();
    let count = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), count, "one line for each path: {lines:?}");
    for path in [SETTINGS, STATE] {
        assert!(paths.contains(&Path::new(path)), "{path}");
    }
}

#[test]
fn nobody_but_root_and_its_owner_sees_what_is_in_a_state_folder() {
    for line in of(&Role::ALL) {
        let is_state = line.path.starts_with(STATE);
        assert!(!is_state || line.mode & 0o066 == 0, "{line:?}");
    }
}
