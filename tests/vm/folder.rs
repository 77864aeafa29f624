//! What is remembered of a directory shortens first opens below it, and decides none otherwise.

use std::path::{Path, PathBuf};

use libc::EPERM;

use crate::daemon::mount_tmpfs;
use crate::guest::*;
use crate::remember::{Agent, FREE, SECRET, exchange, quiet, stage};
use crate::syscall::*;

const SECRETS: &str = "/tmp/vm/remember/secret/**";

/// How many decisions `body` left to what is remembered of directories.
fn by_folder(body: impl FnOnce()) -> u64 {
    let count = || GUEST.programs.counters().expect("counters").by_folder;
    let before = count();
    body();
    count() - before
}

/// Files in a folder, and how often opening them once each, in this order, walked no folder.
fn opens(agent: &mut Agent, folder: &str, names: &[&str]) -> u64 {
    fill(Path::new(folder), names);
    by_folder(|| {
        for name in names {
            assert_eq!(agent.read(&format!("{folder}/{name}")), 0, "{name}");
        }
    })
}

#[test]
fn only_the_first_open_below_a_directory_walks_it() {
    let _turn = stage();
    let mut agent = Agent::start();
    let long = "n".repeat(200);
    let names = ["a", "b", "\u{e9}t\u{e9}", "-", ".hidden", &long];
    assert_eq!(opens(&mut agent, FREE, &names), 5);
    let deep = format!("{FREE}/deep");
    std::fs::create_dir(&deep).unwrap();
    assert_eq!(opens(&mut agent, &deep, &names), 5, "another directory");
    let writes = by_folder(|| {
        for name in ["a", "b", "-"] {
            assert_eq!(agent.ask('w', &format!("{FREE}/{name}")), 0);
        }
    });
    assert_eq!(writes, 2, "another action");
}

#[test]
fn every_name_below_a_known_directory_is_judged_by_itself() {
    let _turn = stage();
    let mut agent = Agent::start();
    let rules = [
        deny("file_read", &format!("{FREE}/*.key")),
        deny("file_read", &format!("{FREE}/exact")).replace("deny-", "also-deny-"),
        deny("file_write", &format!("{FREE}/w*")),
    ];
    quiet(&rules.concat());
    assert_eq!(opens(&mut agent, FREE, &["a", "b"]), 1);
    fill(Path::new(FREE), &["x.key", ".key", "exact", "exactly", "w"]);
    for (what, name, expected) in [
        ('r', "x.key", EPERM),
        ('r', ".key", EPERM),
        ('r', "exact", EPERM),
        ('r', "exactly", 0),
        ('r', "w", 0),
        ('w', "w", EPERM),
        ('w', "a", 0),
        ('r', "x.key", EPERM),
    ] {
        assert_eq!(
            agent.ask(what, &format!("{FREE}/{name}")),
            expected,
            "{what} {name}"
        );
    }
    let two = format!("{FREE}/two");
    assert_eq!(link(&format!("{FREE}/exact"), &two), 0);
    assert_eq!(agent.read(&two), EPERM, "its other name is denied");
    quiet(&deny("file_read", &format!("{FREE}/**")));
    fill(Path::new(FREE), &["c"]);
    assert_eq!(agent.read(&format!("{FREE}/c")), EPERM, "another policy");
}

#[test]
fn a_directory_that_moves_is_walked_again() {
    let _turn = stage();
    let mut agent = Agent::start();
    let (free, secret) = (format!("{FREE}/a/b"), format!("{SECRET}/a/b"));
    std::fs::create_dir_all(&free).unwrap();
    assert_eq!(opens(&mut agent, &free, &["f", "g"]), 1);
    fill(Path::new(&free), &["h", "i"]);
    assert_eq!(rename(&format!("{FREE}/a"), &format!("{SECRET}/a")), 0);
    assert_eq!(agent.read(&format!("{secret}/h")), EPERM, "a parent moved");
    assert_eq!(rename(&format!("{SECRET}/a"), &format!("{FREE}/a")), 0);
    assert_eq!(agent.read(&format!("{free}/h")), 0, "and back");

    std::fs::create_dir_all(&secret).unwrap();
    fill(Path::new(&secret), &["i"]);
    exchange(&free, &secret);
    assert_eq!(agent.read(&format!("{secret}/i")), EPERM, "exchanged");
    assert_eq!(agent.read(&format!("{free}/i")), 0, "exchanged");

    // The place of a directory that is gone is taken by another one.
    std::fs::remove_dir_all(&free).unwrap();
    std::fs::create_dir(&free).unwrap();
    assert_eq!(rename(&free, &format!("{SECRET}/new")), 0);
    fill(Path::new(&format!("{SECRET}/new")), &["f"]);
    assert_eq!(agent.read(&format!("{SECRET}/new/f")), EPERM);
}

/// A file system on a folder of the guest, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(point: &str) -> Mounted {
        std::fs::create_dir_all(point).unwrap();
        mount_tmpfs(Path::new(point));
        fill(Path::new(point), &["f", "g"]);
        Mounted(point.into())
    }

    fn number(&self) -> u64 {
        let file = std::fs::metadata(self.0.join("f")).unwrap();
        std::os::unix::fs::MetadataExt::ino(&file)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let point = c(self.0.as_os_str().as_encoded_bytes());
        let result = call!(libc::umount2(point.as_ptr(), 0));
        assert_eq!(result, 0, "{:?} is unmounted", self.0);
    }
}

#[test]
fn file_systems_with_the_same_numbers_are_told_apart() {
    let _turn = stage();
    let (free, secret) = (format!("{FREE}/m"), format!("{SECRET}/m"));
    let mut agent = Agent::start();
    for round in 0..20 {
        let one = Mounted::at(&free);
        let two = (round % 2 == 0).then(|| Mounted::at(&secret));
        quiet(&deny("file_read", SECRETS));
        assert_eq!(agent.read(&format!("{free}/f")), 0);
        agent.learn(&format!("{free}/f"));
        assert_eq!(agent.read(&format!("{free}/g")), 0);
        if let Some(two) = two {
            assert_eq!(one.number(), two.number(), "else this shows nothing");
            assert_eq!(agent.read(&format!("{secret}/f")), EPERM, "beside it");
            assert_eq!(agent.read(&format!("{secret}/g")), EPERM, "beside it");
            continue;
        }
        // Super block, inode and dentry may lie where the old ones lay.
        let number = one.number();
        drop(one);
        let two = Mounted::at(&secret);
        assert_eq!(number, two.number(), "else this shows nothing");
        for name in ["f", "g"] {
            assert_eq!(agent.read(&format!("{secret}/{name}")), EPERM, "after it");
        }
    }
}

/// Steps of a random walk, by a generator whose numbers are the same every time.
struct Steps(u64);

impl Steps {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % most
    }

    fn of<'a>(&mut self, all: &'a [PathBuf]) -> &'a Path {
        &all[self.below(all.len())]
    }
}

/// Everything below the two folders: folders and files.
fn all() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (vec![FREE.into(), SECRET.into()], Vec::new());
    let mut next = 0;
    while next < folders.len() {
        for entry in std::fs::read_dir(&folders[next]).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                &mut folders
            } else {
                &mut files
            }
            .push(entry.path());
        }
        next += 1;
    }
    (folders, files)
}

#[test]
fn whatever_moves_the_verdict_is_that_of_the_path() {
    let _turn = stage();
    let mut agent = Agent::start();
    let mut steps = Steps(7);
    for step in 0..600 {
        let (folders, files) = all();
        let new = steps.of(&folders).join(format!("n{step}"));
        match steps.below(8) {
            0 if folders.len() > 2 => {
                let from = steps.of(&folders[2..]);
                // A folder cannot go below itself.
                std::fs::rename(from, &new).ok();
            }
            1 if folders.len() < 12 => std::fs::create_dir(&new).unwrap(),
            2 if !files.is_empty() => std::fs::rename(steps.of(&files), &new).unwrap(),
            3 if files.len() > 20 => std::fs::remove_file(steps.of(&files)).unwrap(),
            _ => std::fs::write(&new, "content").unwrap(),
        }
        let (_, files) = all();
        for _ in 0..4 {
            let file = steps.of(&files);
            let expected = if file.starts_with(SECRET) { EPERM } else { 0 };
            assert_eq!(
                agent.read(file.to_str().unwrap()),
                expected,
                "step {step}: {file:?}"
            );
        }
    }
    assert_eq!(counts()["faults"], 0);
}
