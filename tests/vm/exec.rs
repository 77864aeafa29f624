//! Every way to run a program.

use libc::EPERM;
use tyr::kernel::record::Object;

use crate::guest::*;
use crate::syscall::*;

const TRUE: &str = "/usr/bin/true";

fn executable(path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// execveat of a descriptor in a child.
fn exec_descriptor(fd: i32) -> i32 {
    in_fork(|| {
        let arguments = [c"x".as_ptr(), std::ptr::null()];
        let environment: [*const libc::c_char; 1] = [std::ptr::null()];
        call!(libc::syscall(
            libc::SYS_execveat,
            fd,
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH
        ))
    })
}

fn memfd_of(path: &str) -> i32 {
    use std::io::Write;
    use std::os::fd::{FromRawFd, IntoRawFd};
    // SAFETY: the name ends with NUL; the descriptor is owned by the file.
    let mut file = unsafe {
        let fd = libc::memfd_create(c"/usr/bin/git".as_ptr(), 0);
        std::fs::File::from_raw_fd(fd)
    };
    file.write_all(&std::fs::read(path).unwrap()).unwrap();
    file.into_raw_fd()
}

#[test]
fn a_denied_program_runs_in_no_way() {
    let dir = folder("exec");
    std::os::unix::fs::symlink(TRUE, dir.join("alias")).unwrap();
    executable("/tmp/vm/exec/script", &format!("#!{TRUE}\n"));
    executable("/tmp/vm/exec/nested", "#!/tmp/vm/exec/script\n");
    let _turn = policy(&deny("exec", TRUE));
    assert_eq!(as_stranger(|| exec(TRUE, &["true"])), 0);
    assert_eq!(as_stranger(|| exec("/tmp/vm/exec/nested", &["nested"])), 0);
    assert_eq!(as_agent(|| exec("/usr/bin/false", &["false"])), 0);
    assert_eq!(as_agent(|| exec(TRUE, &["true"])), EPERM);
    assert_eq!(
        as_agent(|| exec("/tmp/vm/exec/alias", &["alias"])),
        EPERM,
        "symlink"
    );
    assert_eq!(
        as_agent(|| exec("/tmp/vm/exec/script", &["s"])),
        EPERM,
        "interpreter"
    );
    assert_eq!(
        as_agent(|| exec("/tmp/vm/exec/nested", &["n"])),
        EPERM,
        "nested interpreter"
    );
    let by_descriptor = || exec_descriptor(descriptor(TRUE, libc::O_RDONLY));
    assert_eq!(as_stranger(by_descriptor), 0);
    assert_eq!(as_agent(by_descriptor), EPERM, "execveat");
    denied(TRUE);
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_denied_script_does_not_run() {
    folder("script");
    executable("/tmp/vm/script/s", "#!/bin/sh\nexit 0\n");
    let _turn = policy(&deny("exec", "/tmp/vm/script/s"));
    assert_eq!(as_agent(|| exec("/tmp/vm/script/s", &["s"])), EPERM);
    assert_eq!(as_agent(|| exec("/bin/sh", &["sh", "-c", "exit 0"])), 0);
}

#[test]
fn a_program_without_a_name_is_only_what_everything_is() {
    let _turn = policy(&format!(
        "  - name: git\n    action: exec\n    resource_pattern: /usr/bin/git\n    verdict: allow\n{}",
        deny("exec", "*")
    ));
    let memory = || exec_descriptor(memfd_of(TRUE));
    assert_eq!(as_stranger(memory), 0);
    assert_eq!(as_agent(memory), EPERM, "memfd named as an allowed program");
    decision(
        |operation| matches!(&operation.object, Object::File(place) if place.path == b"/memfd:"),
    );
    folder("unlinked");
    let unlinked = || {
        std::fs::copy(TRUE, "/tmp/vm/unlinked/x").unwrap();
        let fd = descriptor("/tmp/vm/unlinked/x", libc::O_RDONLY);
        std::fs::remove_file("/tmp/vm/unlinked/x").unwrap();
        exec_descriptor(fd)
    };
    install(&deny("exec", "/usr/bin/git"));
    assert_eq!(as_agent(memory), 0, "nothing general is denied");
    assert_eq!(as_agent(unlinked), 0);
    install(&deny("exec", "*"));
    assert_eq!(as_agent(unlinked), EPERM, "unlinked");
}

#[test]
fn the_loader_is_no_way_around() {
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let _turn = policy(&deny("exec", TRUE));
    assert_eq!(as_agent(|| run(loader, &["ld", "/usr/bin/false"])), 1);
    assert_eq!(as_stranger(|| run(loader, &["ld", TRUE])), 0);
    assert_ne!(
        as_agent(|| run(loader, &["ld", TRUE])),
        0,
        "the loader cannot map it"
    );
    denied(TRUE);
}

#[test]
fn binaries_are_what_was_executed() {
    let dir = folder("binaries");
    fill(&dir, &["secret"]);
    let _turn = policy(
        "  - name: cat\n    action: file_read\n    resource_pattern: /tmp/vm/binaries/secret\n    \
         binaries: [/usr/bin/cat]\n    verdict: deny\n",
    );
    let show = |program: &str| run(program, &["x", "/tmp/vm/binaries/secret"]);
    assert_eq!(as_agent(|| show("/usr/bin/cat")), 1);
    assert_eq!(as_agent(|| show("/usr/bin/wc")), 0);
    let denial = denied("/tmp/vm/binaries/secret");
    assert!(
        denial.exe.path.ends_with(b"/usr/bin/cat"),
        "{:?}",
        denial.exe
    );
}
