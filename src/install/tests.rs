use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::manifest::{Content, ITEMS, MARK, Role};
use super::record::Record;
use super::step::{Action, Step};
use super::*;

fn target(root: &Path, prefix: &str) -> Target {
    Target::new(root, Layout::new(Path::new(prefix)).expect("a prefix"))
}

fn program(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// All files and links below a folder, as absolute paths.
fn tree(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root).expect("below the root");
                found.insert(format!("/{}", below.display()));
            }
        }
    }
    found
}

fn actions<'a>(steps: impl Iterator<Item = &'a Step>) -> BTreeSet<&'static str> {
    steps.map(|step| step.action.name()).collect()
}

#[test]
fn packages_of_all_roles_together_have_every_file_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen = BTreeSet::new();
    for role in Role::ALL {
        let root = folder.path().join(role.name());
        let target = target(&root, "/usr");
        let plan = put::stage(&target, &[role], &program("elf")).expect("a plan");
        plan.perform(&target).expect("laid out");
        for path in tree(&root) {
            assert!(seen.insert(path.clone()), "{path} is in two packages");
        }
    }
    assert_eq!(seen.len(), ITEMS.len() + 1, "{seen:?}");
    for path in [
        "/usr/bin/tyr",
        "/usr/bin/tyr-server",
        "/usr/bin/tyrd",
        "/usr/lib/systemd/system/tyrd.service",
        "/usr/lib/systemd/system/tyr-server.service",
        "/usr/lib/sysusers.d/tyr-server.conf",
        "/usr/lib/tmpfiles.d/tyrd.conf",
        "/etc/tyr/daemon.yaml",
        "/etc/tyr/server.yaml",
        "/usr/share/tyr/packaged",
    ] {
        assert!(seen.contains(path), "{path} is missing");
    }
}

#[test]
fn a_stage_has_modes_and_links_and_no_trace_of_the_umask() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr");
    let plan = put::stage(&target, &Role::ALL, &program("elf")).expect("a plan");
    plan.perform(&target).expect("laid out");
    for item in ITEMS.iter().chain([&MARK]) {
        let path = target.at(&target.layout.folder(item.folder).join(item.name));
        let found = fs::symlink_metadata(&path).expect("there");
        match item.content {
            Content::Link(to) => {
                assert_eq!(fs::read_link(&path).expect("a link"), Path::new(to));
            }
            _ => assert_eq!(found.permissions().mode() & 0o7777, item.mode, "{path:?}"),
        }
        let above = fs::metadata(path.parent().expect("a folder")).expect("there");
        assert_eq!(above.permissions().mode() & 0o7777, 0o755, "{path:?}");
    }
    let again = put::stage(&target, &Role::ALL, &program("elf")).expect("a plan");
    assert_eq!(actions(again.steps()), BTreeSet::from(["unchanged"]));
}

#[test]
fn units_start_what_the_prefix_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/opt/tyr");
    let plan = put::stage(&target, &Role::ALL, &program("elf")).expect("a plan");
    plan.perform(&target).expect("laid out");
    for (unit, program) in [
        ("tyrd.service", "tyrd"),
        ("tyr-server.service", "tyr-server"),
    ] {
        let path = target.at(&Path::new("/etc/systemd/system").join(unit));
        let text = fs::read_to_string(path).expect("a unit");
        assert!(
            text.contains(&format!("ExecStart=/opt/tyr/bin/{program}\n")),
            "{text}"
        );
        assert!(!text.contains("/usr/bin/"), "{text}");
    }
}

#[test]
fn a_prefix_is_a_plain_path() {
    for wrong in [
        "",
        "usr",
        "./usr",
        "/usr/../etc",
        "/a b",
        "/a%h",
        "/a$b",
        "/a\"b",
    ] {
        assert!(Layout::new(Path::new(wrong)).is_err(), "{wrong}");
    }
    let slash = Layout::new(Path::new("/usr/local/")).expect("a prefix");
    assert_eq!(slash.prefix(), Path::new("/usr/local"));
}

/// Lays out the command line, which needs no user and no owner but the test's own.
fn put_cli(target: &Target, executable: &str) -> put::Plan {
    let plan = put::host(target, &[Role::Cli], &program(executable)).expect("a plan");
    plan.perform(target).expect("laid out");
    plan
}

fn take_all(target: &Target, purge: bool) -> take::Plan {
    let record = Record::read(target).expect("a record");
    let plan = take::plan(target, record.as_ref(), purge).expect("a plan");
    plan.perform(target).expect("taken back");
    plan
}

#[test]
fn what_is_laid_out_is_taken_back_and_both_may_run_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    fs::create_dir_all(target.at(Path::new("/usr/local/bin"))).expect("made");
    let plan = put::host(&target, &[Role::Cli], &program("elf")).expect("a plan");
    assert_eq!(actions(plan.steps()), BTreeSet::from(["create"]));
    assert!(tree(folder.path()).is_empty(), "a plan does nothing");
    put_cli(&target, "elf");
    assert_eq!(
        actions(put_cli(&target, "elf").steps()),
        BTreeSet::from(["unchanged"])
    );
    take_all(&target, false);
    assert!(tree(folder.path()).is_empty(), "{:?}", tree(folder.path()));
    assert!(
        target.at(Path::new("/usr/local/bin")).exists(),
        "it was there before"
    );
    assert!(
        !target.at(Path::new("/usr/local/share")).exists(),
        "it was not"
    );
    assert!(!target.at(Path::new("/var")).exists(), "nor was this");
    assert_eq!(take_all(&target, false).steps().count(), 0);
}

#[test]
fn a_newer_executable_takes_the_place_of_the_older() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    put_cli(&target, "old");
    let path = target.at(Path::new("/usr/local/bin/tyr"));
    let old = fs::File::open(&path).expect("there");
    let plan = put_cli(&target, "new");
    let changed: Vec<&Step> = plan.steps().filter(|step| step.changes()).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].action, Action::Replace);
    assert_eq!(fs::read_to_string(&path).expect("there"), "new");
    assert_eq!(
        std::io::read_to_string(old).expect("still open"),
        "old",
        "who runs it goes on with it"
    );
    take_all(&target, false);
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    let path = target.at(Path::new("/usr/local/bin/tyr"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, "somebody's").expect("written");
    let error = put::host(&target, &[Role::Cli], &program("elf")).expect_err("in the way");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    // The executable itself may have been put there by hand.
    let plan = put::host(&target, &[Role::Cli], &program("somebody's"));
    assert!(plan.is_ok(), "{plan:?}");
}

#[test]
fn a_package_is_not_taken_over_and_not_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let usr = target(folder.path(), "/usr");
    let plan = put::stage(&usr, &Role::ALL, &program("elf")).expect("a plan");
    plan.perform(&usr).expect("laid out");
    for prefix in ["/usr", "/usr/local"] {
        let target = target(folder.path(), prefix);
        let error = put::host(&target, &[Role::Cli], &program("elf")).expect_err("a package");
        assert!(matches!(error, Error::Packaged { .. }), "{error}");
        let error = take::plan(&target, None, true).expect_err("a package");
        assert!(matches!(error, Error::Packaged { .. }), "{error}");
    }
}

#[test]
fn a_second_prefix_is_refused_with_the_first_one_named() {
    let folder = tempfile::tempdir().expect("a folder");
    put_cli(&target(folder.path(), "/opt/tyr"), "elf");
    let other = target(folder.path(), "/usr/local");
    let error = put::host(&other, &[Role::Cli], &program("elf")).expect_err("elsewhere");
    assert!(error.to_string().contains("/opt/tyr"), "{error}");
}

#[test]
fn a_file_that_was_changed_stays_until_it_is_purged() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    put_cli(&target, "elf");
    let path = target.at(Path::new("/usr/local/share/tyr/policies/observe.yaml"));
    fs::write(&path, "mine").expect("written");
    let kept = take_all(&target, false);
    assert!(kept.steps().any(|step| step.action == Action::Keep));
    assert_eq!(fs::read_to_string(&path).expect("kept"), "mine");
    take_all(&target, true);
    assert!(tree(folder.path()).is_empty(), "{:?}", tree(folder.path()));
}

#[test]
fn a_run_that_was_cut_short_can_be_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    put_cli(&target, "old");
    // A folder stands where a file should be written: the second half of the run fails.
    let plan = put::host(&target, &[Role::Cli], &program("new")).expect("a plan");
    let path = target.at(Path::new("/usr/local/bin/.."));
    let closed = path.join("bin/tyr.tyr-new");
    fs::create_dir(&closed).expect("made");
    plan.perform(&target).expect_err("it cannot write there");
    fs::remove_dir(&closed).expect("removed");
    take_all(&target, false);
    assert!(tree(folder.path()).is_empty(), "{:?}", tree(folder.path()));
}

#[test]
fn a_setting_is_replaced_only_while_nobody_edited_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    let path = target.at(Path::new("/etc/tyr/daemon.yaml"));
    let step = |record: Option<&Record>| {
        if let Some(record) = record {
            record.write(&target).expect("written");
        }
        let plan = put::host(&target, &[Role::Daemon], &program("elf")).expect("a plan");
        let found = plan
            .steps()
            .find(|step| step.what == "/etc/tyr/daemon.yaml");
        found.expect("a step").action
    };
    assert_eq!(step(None), Action::Create);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, "server: mine:7700\n").expect("written");
    assert_eq!(step(None), Action::Keep);
    let mut record = Record::new(target.layout.prefix());
    let entry = record::Entry {
        sha256: vec![file::sha256(b"server: mine:7700\n")],
        setting: true,
        ..record::Entry::default()
    };
    record.files.insert("/etc/tyr/daemon.yaml".into(), entry);
    assert_eq!(
        step(Some(&record)),
        Action::Replace,
        "as an older version laid it out"
    );
    fs::write(&path, "server: other:7700\n").expect("written");
    assert_eq!(step(Some(&record)), Action::Keep);
}

#[test]
fn links_of_enabled_units_go_with_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(folder.path(), "/usr/local");
    put_cli(&target, "elf");
    let wants = target.at(Path::new("/etc/systemd/system/multi-user.target.wants"));
    fs::create_dir_all(&wants).expect("made");
    for name in ["tyrd.service", "other.service"] {
        std::os::unix::fs::symlink(format!("../{name}"), wants.join(name)).expect("linked");
    }
    take_all(&target, false);
    assert_eq!(
        tree(folder.path()).into_iter().collect::<Vec<String>>(),
        ["/etc/systemd/system/multi-user.target.wants/other.service"]
    );
}
