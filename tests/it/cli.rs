//! The command line in-process: help of every command word for word, and its work with a server.

use std::path::Path;

use tyr::applet;
use tyr::exit::Exit;
use tyr::process::Process;

/// Every command that has a page of its own.
const PAGES: [&str; 41] = [
    "",
    "server",
    "daemon",
    "doctor",
    "login",
    "hosts",
    "hosts list",
    "hosts show",
    "hosts revoke",
    "agents",
    "agents list",
    "agents show",
    "policy",
    "policy check",
    "policy explain",
    "policy test",
    "policy apply",
    "policy list",
    "policy show",
    "policy diff",
    "policy history",
    "policy rollback",
    "policy disable",
    "policy enable",
    "policy assign",
    "policy unassign",
    "break-glass",
    "break-glass start",
    "break-glass end",
    "audit",
    "audit tail",
    "audit search",
    "enrollment-token",
    "enrollment-token create",
    "enrollment-token list",
    "enrollment-token revoke",
    "completion",
    "install",
    "uninstall",
    "version",
    "nonsense",
];

/// Exit, standard output and standard error of `tyr WORDS`.
fn tyr(words: &str, env: &[(&str, &str)]) -> (Exit, String, String) {
    let args: Vec<&str> = ["tyr"]
        .into_iter()
        .chain(words.split_whitespace())
        .collect();
    let (mut process, capture) = Process::for_test(&args, "");
    for (name, value) in env {
        process.env.insert((*name).to_owned(), (*value).to_owned());
    }
    let exit = applet::run(process);
    (exit, capture.stdout.text(), capture.stderr.text())
}

/// `UPDATE_GOLDEN=1` writes what is there now; the diff is then for a person to read.
#[test]
fn help_is_word_for_word_what_was_agreed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli/help.txt");
    let mut text = String::new();
    for page in PAGES {
        let (exit, stdout, stderr) = tyr(&format!("{page} -h"), &[]);
        let command = format!("tyr {page}").trim_end().to_owned();
        text.push_str(&format!(
            "$ {command} -h → {}\n{stdout}{stderr}\n",
            exit.code()
        ));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).expect("the tree is writable");
    }
    let agreed = std::fs::read_to_string(&golden).expect("the golden file is part of the tree");
    assert_eq!(text, agreed, "run with UPDATE_GOLDEN=1 and read the diff");
}

#[test]
fn every_command_of_a_page_has_a_page() {
    for page in PAGES {
        let (_, stdout, _) = tyr(&format!("{page} --help"), &[]);
        let Some((_, commands)) = stdout.split_once("Commands:\n") else {
            continue;
        };
        let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        for line in commands.lines().filter(is_name) {
            let name = line.split_whitespace().next().expect("it has a name");
            let full = format!("{page} {name}").trim_start().to_owned();
            assert!(
                PAGES.contains(&full.as_str()),
                "`tyr {full}` has no golden page"
            );
        }
    }
}

#[test]
fn errors_have_their_exit_and_their_help() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path().to_str().expect("UTF-8");
    for (words, exit, expected) in [
        (
            "hosts list",
            78,
            "error: not logged in to a server\n  help: run `tyr login SERVER`",
        ),
        (
            "hosts frobnicate",
            64,
            "help: `tyr hosts --help` shows what it takes",
        ),
        ("audit tail --verdict=maybe", 64, "`maybe` is not a verdict"),
        (
            "policy check /nonexistent/p.yaml",
            66,
            "cannot read /nonexistent/p.yaml",
        ),
        ("policy check", 64, "no policy file was given"),
        (
            "policy apply -f /nonexistent/p.yaml",
            66,
            "cannot read /nonexistent/p.yaml",
        ),
        ("login http://a --token x", 64, "Tyr speaks only TLS"),
        (
            "login 127.0.0.1:1 --token x",
            69,
            "cannot reach https://127.0.0.1:1",
        ),
        ("daemon --scope=nowhere", 64, "`nowhere` is not a scope"),
        ("version --output=xml", 64, "expected table or json"),
    ] {
        let (got, stdout, stderr) = tyr(words, &[("HOME", home)]);
        assert_eq!(got.code(), exit, "{words}: {stderr}");
        assert!(stderr.contains(expected), "{words}: {stderr}");
        assert_eq!(stdout, "", "{words}: errors are not data");
    }
}

#[test]
fn a_policy_is_checked_and_explained_without_a_server() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("p.yaml");
    let policy = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  \
                  - {name: keys, action: file_read, resource_pattern: '/k/**', verdict: deny}\n";
    std::fs::write(&path, policy).expect("the folder is writable");
    let file = path.to_str().expect("UTF-8");
    let (exit, stdout, _) = tyr(&format!("policy check {file}"), &[]);
    assert_eq!(
        (exit, stdout),
        (Exit::Ok, format!("{file}: policy `p`, 1 rule: ok\n"))
    );
    let explain =
        "--agent-type codex --exe /bin/cat --action file_read --resource /k/x --output json";
    let (exit, stdout, stderr) = tyr(&format!("policy explain -f {file} {explain}"), &[]);
    assert_eq!(exit, Exit::Ok, "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(answer["verdict"], "deny");
    assert_eq!(answer["rule"], "keys");
    std::fs::write(&path, policy.replace("deny", "dent")).expect("the folder is writable");
    let (exit, stdout, _) = tyr(&format!("policy check {file}"), &[]);
    assert_eq!(exit, Exit::Data);
    assert!(stdout.contains(&format!("{file}:6:")), "{stdout}");
}
