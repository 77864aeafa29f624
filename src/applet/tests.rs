use super::run;
use crate::exit::Exit;
use crate::process::Process;

#[test]
fn an_unknown_name_is_said_with_help() {
    let (process, capture) = Process::for_test(&["/opt/governor"], "");
    assert_eq!(run(process), Exit::Usage);
    assert_eq!(
        capture.stderr.text(),
        "error: this program does not know its role by the name `governor`\n  help: call it `tyr`, `tyr-server` or `tyrd`\n"
    );
}

#[test]
fn a_symlink_name_is_its_role() {
    for (name, role) in [("tyrd", "daemon"), ("tyr-server", "server")] {
        let (by_name, by_name_out) = Process::for_test(&[name, "--help"], "");
        let (by_word, by_word_out) = Process::for_test(&["tyr", role, "--help"], "");
        assert_eq!(run(by_name), Exit::Ok);
        assert_eq!(run(by_word), Exit::Ok);
        let expected = by_word_out
            .stdout
            .text()
            .replace(&format!("tyr {role}"), name);
        assert_eq!(by_name_out.stdout.text(), expected);
        assert!(
            expected.starts_with(&format!("Usage: {name} ")),
            "{expected}"
        );
    }
}

#[test]
fn names_are_exact() {
    for name in ["", "tyrd2", "xtyr", "TYR", "tyr ", "tyr/"] {
        let (process, capture) = Process::for_test(&[name, "version"], "");
        assert_eq!(
            run(process),
            Exit::Usage,
            "{name}: {}",
            capture.stdout.text()
        );
    }
    let (process, capture) = Process::for_test(&["/usr/bin/tyr", "version"], "");
    assert_eq!(run(process), Exit::Ok);
    assert!(capture.stdout.text().starts_with("tyr "));
}
