//! The policy compiler in a process of its own says what the same code says in this one.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tyr::daemon::compiler::{Compiler, CompilerError};
use tyr::policy::builtin;
use tyr::policy::compile::{Alias, CompileError, Input, Superblock, compile};
use tyr::policy::fact::Fact;
use tyr::policy::moment::Moment;
use tyr::policy::principal::Principal;
use tyr::policy::rule::Effective;
use tyr::policy::signatures::Signatures;

/// One policy or several, in force for everybody.
fn effective(text: &str) -> Vec<Effective> {
    let loaded = tyr::policy::load("test", text.as_bytes(), &Default::default())
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let sources = loaded.policies.into_iter().zip(1..);
    sources
        .map(|(source, version)| Effective {
            policy: source.policy.into(),
            version,
            mode: Default::default(),
            agent_types: vec!["codex".to_owned(); version as usize % 2],
        })
        .collect()
}

fn superblocks() -> Vec<Superblock> {
    let alias = |root: &[u8], mount_point: &[u8]| Alias {
        root: root.to_vec(),
        mount_point: mount_point.to_vec(),
    };
    vec![
        Superblock {
            dev: 7,
            aliases: vec![alias(b"/", b"/"), alias(b"/srv/\xff", b"/mnt")],
        },
        Superblock {
            dev: 1 << 20,
            aliases: vec![alias(b"/", b"/home")],
        },
    ]
}

fn slots() -> Vec<Principal> {
    vec![
        Principal::default(),
        Principal {
            agent_types: Fact::Known(vec!["claude-code".to_owned(), "codex".to_owned()]),
            host_labels: Fact::Known(BTreeMap::from([("env".to_owned(), "prod".to_owned())])),
            uid: Fact::Known(1000),
            exe: Fact::Known(b"/usr/bin/\xfe".to_vec()),
            interactive: Fact::Known(false),
            ..Principal::of_type("codex")
        },
    ]
}

fn own() -> Compiler {
    Compiler::at(Path::new(env!("CARGO_BIN_EXE_tyr")))
}

fn input<'a>(policies: &'a [Effective], signatures: &'a Signatures) -> Input<'a> {
    Input {
        policies,
        signatures,
        host: Box::leak(Box::default()),
        superblocks: &[],
        slots: &[],
        moment: None,
        unmatched_is_silent: false,
    }
}

#[test]
fn another_process_makes_the_same_tables() {
    let signatures = Signatures::builtin();
    let (superblocks, slots, host) = (superblocks(), slots(), Principal::of_type("codex"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/suite");
    let mut texts: Vec<String> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .filter(|path| !path.to_string_lossy().contains(".cases."))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(texts.len() > 10, "{folder:?}");
    texts.extend(builtin::ALL.iter().map(|policy| policy.text.to_owned()));
    let moment = Moment::from_civil("2026-11-22T23:00:00".parse().unwrap());
    for text in &texts {
        let policies = effective(text);
        for moment in [None, Some(moment)] {
            let input = Input {
                host: &host,
                superblocks: &superblocks,
                slots: &slots,
                moment,
                unmatched_is_silent: moment.is_some(),
                ..input(&policies, &signatures)
            };
            let expected = compile(&input).expect("tables");
            let found = own().compile(&input).expect("tables");
            assert!(found == expected, "{text}");
        }
    }
}

#[test]
fn what_the_compiler_refuses_comes_back_as_it_is() {
    let mut rules = String::new();
    for first in 'a'..='z' {
        rules.push_str(&format!(
            "  - name: {first}\n    action: file_read\n    resource_pattern: '/{first}*{first}???????????????'\n    verdict: deny\n"
        ));
    }
    let policies = effective(&format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: test\nspec:\n  rules:\n{rules}"
    ));
    let signatures = Signatures::builtin();
    let input = input(&policies, &signatures);
    let expected = compile(&input).expect_err("too many states");
    assert!(matches!(expected, CompileError::TooManyStates { .. }));
    match own().compile(&input) {
        Err(CompilerError::Refused(found)) => assert_eq!(found, expected),
        other => panic!("{other:?}"),
    }
}

/// A compiler that is this script.
fn script(folder: &tempfile::TempDir, text: &str) -> Compiler {
    let path = folder.path().join("compiler");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Compiler::at(&path)
}

#[test]
fn a_compiler_that_fails_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let signatures = Signatures::builtin();
    let input = input(&[], &signatures);
    let said =
        |compiler: Compiler| tyr::exit::chain(&compiler.compile(&input).expect_err("no tables"));
    assert!(
        said(Compiler::at(Path::new("/nowhere")))
            .starts_with("cannot start the policy compiler /nowhere: No such file")
    );
    assert_eq!(
        said(script(&folder, "cat >/dev/null; echo no >&2; exit 3")),
        "the policy compiler failed with status 3: no"
    );
    let killed = "the policy compiler was ended by signal 9: it may take 1024 MiB of memory and \
                  300 s of a processor's time; use fewer or more exact wildcards";
    assert_eq!(said(script(&folder, "kill -9 $$")), killed);
    assert_eq!(said(script(&folder, "cat >/dev/null; kill -9 $$")), killed);
    for (text, expected) in [
        ("cat >/dev/null", "failed to fill whole buffer"),
        (
            "cat >/dev/null; printf 'abcdef'",
            "its head is to have 1684234849 bytes",
        ),
        (
            "cat >/dev/null; printf '\\4\\0\\0\\0\\377\\377\\377\\377'",
            "Hit the end of buffer",
        ),
    ] {
        let said = said(script(&folder, text));
        assert!(
            said.starts_with("the policy compiler's answer cannot be read: ")
                && said.contains(expected),
            "{said}"
        );
    }
}

/// One that is stopped takes no processor's time, so only the clock can end it.
#[test]
fn a_compiler_that_says_nothing_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let signatures = Signatures::builtin();
    let pid = folder.path().join("pid");
    for before in ["", "cat >/dev/null;"] {
        let text = format!("echo $$ >{}; {before} kill -STOP $$", pid.display());
        let stopped = script(&folder, &text).given_up_after(Duration::from_secs(1));
        let error = stopped
            .compile(&input(&[], &signatures))
            .expect_err("no tables");
        assert_eq!(
            error.to_string(),
            "the policy compiler said nothing for 1 s and was ended"
        );
        let pid = std::fs::read_to_string(&pid).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "it is gone");
    }
}

/// It is not for people, and says so.
#[test]
fn input_that_is_none_is_refused() {
    use std::io::Write;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_tyr"))
        .arg0("tyr-compiler")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&[0xff; 100]).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(
        said.contains("error: policy compiler: its input is none: "),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}
