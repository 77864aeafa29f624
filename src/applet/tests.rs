use super::{Name, program_name, run};
use crate::exit::Exit;
use crate::process::Process;

#[test]
fn names_are_exact() {
    assert_eq!(program_name("tyr"), Ok(Name::Tyr));
    assert_eq!(program_name("/usr/bin/tyr"), Ok(Name::Tyr));
    assert_eq!(program_name("./tyr-server"), Ok(Name::Server));
    assert_eq!(program_name("/usr/sbin/tyrd"), Ok(Name::Daemon));
    for name in ["", "tyrd2", "xtyr", "TYR", "tyr ", "tyr/"] {
        assert_eq!(program_name(name).unwrap_err().exit, Exit::Usage, "{name}");
    }
}

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
        let expected = by_word_out.stdout.text().replace(&format!("tyr {role}"), name);
        assert_eq!(by_name_out.stdout.text(), expected);
        assert!(expected.starts_with(&format!("Usage: {name} ")), "{expected}");
    }
}
