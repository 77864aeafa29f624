use super::{Procfs, Stat, parse_stat};

#[test]
fn a_name_cannot_forge_the_fields_after_it() {
    let line = "31 (a) R 1 (b)) S 30 31 31 34816 31 4194304 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
    assert_eq!(
        parse_stat(line),
        Some(Stat {
            comm: "a) R 1 (b)".to_owned(),
            parent_pid: 30,
            has_terminal: true,
            start_boot_ns: 42_420_000_000,
        })
    );
    for cut in ["", "31", "31 (a", "31 (a) S 30"] {
        assert_eq!(parse_stat(cut), None, "{cut}");
    }
}

#[test]
fn this_process_is_there() {
    let procfs = Procfs::default();
    let pid = std::process::id();
    assert!(procfs.pids().contains(&pid));
    let stat = procfs.stat(pid).unwrap();
    assert!(procfs.stat(stat.parent_pid).is_some());
    assert!(stat.started_at(stat.start_boot_ns + 9_000_000));
    assert!(!stat.started_at(stat.start_boot_ns + 50_000_000));
    let exe = std::env::current_exe().unwrap();
    assert_eq!(procfs.exe(pid).unwrap(), exe.as_os_str().as_encoded_bytes());
    assert!(
        procfs
            .files(pid)
            .contains(&exe.as_os_str().as_encoded_bytes().to_vec())
    );
    assert_eq!(
        procfs.arguments(pid),
        std::env::args().collect::<Vec<String>>()
    );
}

#[test]
fn a_process_that_is_gone_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let procfs = Procfs::at(dir.path());
    assert!(procfs.pids().is_empty());
    assert_eq!(procfs.stat(1), None);
    assert_eq!(procfs.exe(1), None);
    assert_eq!(procfs.cgroup(1), None);
    assert!(procfs.arguments(1).is_empty());
}
