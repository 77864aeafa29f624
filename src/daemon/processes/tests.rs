use std::fs;
use std::path::Path;

use super::{PROCESSES_MAX, Processes};
use crate::daemon::kernel::Subject;
use crate::daemon::procfs::Procfs;
use crate::model::event::Ancestor;

fn subject(pid: u32, parent_pid: u32, session: u64) -> Subject {
    let start_boot_ns = u64::from(pid) * 10_000_000;
    Subject {
        session,
        boot_ns: start_boot_ns,
        start_boot_ns,
        exec_boot_ns: start_boot_ns,
        pid,
        parent_pid,
        ..Subject::default()
    }
}

fn ancestor(pid: u32, exe: &str) -> Ancestor {
    Ancestor {
        pid,
        exe: exe.to_owned(),
    }
}

/// A /proc with one process in it.
fn process(root: &Path, pid: u32, parent_pid: u32, exe: &str, cmdline: &str) {
    let dir = root.join(pid.to_string());
    fs::create_dir_all(&dir).unwrap();
    let stat = format!("{pid} (x) S {parent_pid} 1 1 34816 1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0");
    fs::write(dir.join("stat"), stat).unwrap();
    fs::write(dir.join("cmdline"), cmdline).unwrap();
    fs::write(dir.join("cgroup"), "0::/user.slice\n").unwrap();
    std::os::unix::fs::symlink(exe, dir.join("exe")).unwrap();
}

fn empty() -> (tempfile::TempDir, Processes) {
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new(Procfs::at(dir.path()), Path::new("/nonexistent"));
    (dir, processes)
}

#[test]
fn lineage_ends_at_the_root_of_the_agent() {
    let (dir, mut processes) = empty();
    process(dir.path(), 5, 1, "/usr/sbin/sshd", "sshd\0");
    processes.execed(&subject(10, 5, 1), b"/opt/claude");
    processes.execed(&subject(11, 10, 1), b"/bin/bash");
    let cat = processes.describe(&subject(12, 11, 1), Some(b"/bin/cat"), 10);
    assert_eq!(
        cat.lineage,
        [ancestor(11, "/bin/bash"), ancestor(10, "/opt/claude")]
    );
    let root = processes.describe(&subject(10, 5, 1), None, 10);
    assert_eq!(root.lineage, []);
    assert_eq!(root.exe, "/opt/claude");
}

#[test]
fn ancestors_from_before_the_daemon_come_from_proc() {
    let (dir, mut processes) = empty();
    process(dir.path(), 10, 5, "/opt/claude", "claude\0");
    process(dir.path(), 11, 10, "/bin/bash", "bash\0-c\0x --token abc\0");
    let cat = processes.describe(&subject(12, 11, 1), Some(b"/bin/cat"), 10);
    assert_eq!(
        cat.lineage,
        [ancestor(11, "/bin/bash"), ancestor(10, "/opt/claude")]
    );
    let bash = processes.describe(&subject(11, 10, 1), None, 10);
    assert_eq!((bash.exe.as_str(), bash.args.len()), ("/bin/bash", 3));
    assert_eq!(bash.args[2], "x --token [redacted]");
    assert!(processes.is_interactive(&subject(11, 10, 1)));
}

#[test]
fn a_number_used_again_is_another_process() {
    let (dir, mut processes) = empty();
    process(dir.path(), 11, 10, "/bin/other", "other\0");
    let mut late = subject(11, 10, 1);
    late.start_boot_ns += 5_000_000_000;
    late.exec_boot_ns = late.start_boot_ns;
    assert!(processes.describe(&late, None, 0).args.is_empty());
    processes.execed(&subject(11, 10, 1), b"/bin/bash");
    assert_eq!(
        processes.describe(&subject(11, 10, 1), None, 0).exe,
        "/bin/bash"
    );
}

#[test]
fn an_exec_replaces_what_was_known_and_an_exit_is_remembered_for_children() {
    let (_dir, mut processes) = empty();
    processes.execed(&subject(10, 1, 1), b"/opt/claude");
    processes.execed(&subject(11, 10, 1), b"/bin/bash");
    let mut again = subject(11, 10, 1);
    again.exec_boot_ns += 1;
    processes.execed(&again, b"/bin/dash");
    processes.exited(&again);
    let cat = processes.describe(&subject(12, 11, 1), Some(b"/bin/cat"), 10);
    assert_eq!(cat.lineage[0], ancestor(11, "/bin/dash"));
}

#[test]
fn memory_is_bounded() {
    let (_dir, mut processes) = empty();
    for pid in 2..(PROCESSES_MAX as u32 + 1_000) {
        processes.execed(&subject(pid, 1, 1), b"/bin/true");
        if pid % 2 == 0 {
            processes.exited(&subject(pid, 1, 1));
        }
    }
    assert!(processes.len() <= PROCESSES_MAX);
    let newest = PROCESSES_MAX as u32 + 999;
    assert_eq!(
        processes.describe(&subject(newest, 1, 1), None, 0).exe,
        "/bin/true"
    );
}
