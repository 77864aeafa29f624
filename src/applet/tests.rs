use super::{ROLE, run};
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
    for name in ["", "tyrd2", "xtyr", "TYR", "tyr ", "tyr/", "tyr-", "tyr-x1"] {
        let (process, capture) = Process::for_test(&[name, "version"], "");
        assert_eq!(
            run(process),
            Exit::Usage,
            "{name}: {}",
            capture.stdout.text()
        );
    }
    for name in ["/usr/bin/tyr", "./tyr-1.2.0+5.gabc-x86_64-linux"] {
        let (process, capture) = Process::for_test(&[name, "version"], "");
        assert_eq!(run(process), Exit::Ok);
        assert!(capture.stdout.text().starts_with("tyr "));
    }
}

fn with_role(role: &str, args: &[&str]) -> (Exit, String, String) {
    let (mut process, capture) = Process::for_test(args, "");
    process.env.insert(ROLE.to_owned(), role.to_owned());
    let exit = run(process);
    (exit, capture.stdout.text(), capture.stderr.text())
}

#[test]
fn the_environment_can_name_the_role() {
    for role in ["server", "daemon"] {
        let (exit, out, _) = with_role(role, &["tyr", "--help"]);
        assert_eq!(exit, Exit::Ok);
        assert!(out.starts_with(&format!("Usage: tyr {role} ")), "{out}");
    }
    let (exit, _, said) = with_role("daemon", &["tyr", "--tls-capture"]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("--tls-capture is not supported"), "{said}");
}

#[test]
fn a_command_goes_before_the_environment() {
    for role in ["server", "nonsense", ""] {
        let (exit, out, _) = with_role(role, &["tyr", "version"]);
        assert_eq!(exit, Exit::Ok);
        assert!(out.starts_with("tyr "), "{out}");
    }
    let (exit, out, _) = with_role("server", &["tyrd", "--help"]);
    assert_eq!(exit, Exit::Ok);
    assert!(out.starts_with("Usage: tyrd "), "{out}");
}

#[test]
fn a_role_that_is_none_is_refused() {
    for role in ["nonsense", "Server", "version"] {
        let (exit, out, said) = with_role(role, &["tyr"]);
        assert_eq!(exit, Exit::Usage);
        assert_eq!(
            said,
            format!(
                "error: TYR_ROLE is `{role}`, which is no role\n  help: set it to server or daemon, or leave it out and name a command\n"
            )
        );
        assert!(out.is_empty());
    }
}
