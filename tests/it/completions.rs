//! The completions that are packaged: what the code makes, and what real shells make of them.

use std::path::PathBuf;
use std::process::Command;

use tyr::applet::programs;
use tyr::cli::completion::{Shell, script};

use crate::support::packaged::{check, root};

fn path(shell: Shell) -> PathBuf {
    let name = match shell {
        Shell::Bash => "tyr.bash",
        Shell::Zsh => "_tyr",
        Shell::Fish => "tyr.fish",
    };
    root().join("packaging/completions").join(name)
}

/// What a shell prints for a program in its own language.
fn run(shell: Shell, arguments: &[&str]) -> String {
    let output = Command::new(shell.name())
        .args(arguments)
        .env("HOME", "/nonexistent")
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run tests/setup.sh check", shell.name()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", shell.name());
    assert!(said.is_empty(), "{}: {said}", shell.name());
    String::from_utf8(output.stdout).expect("completions are text")
}

/// The words that bash offers for the last of `words`.
fn bash(words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; _tyr; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        path(Shell::Bash).display(),
        quoted.join(" "),
        words.len() - 1
    );
    lines(&run(Shell::Bash, &["--norc", "--noprofile", "-c", &line]))
}

/// The words that fish offers at the end of `line`.
fn fish(line: &str) -> Vec<String> {
    let program = format!(
        "source {}; complete -C '{line}'",
        path(Shell::Fish).display()
    );
    let text = run(Shell::Fish, &["--no-config", "-c", &program]);
    let words = text
        .lines()
        .map(|line| line.split('\t').next().unwrap_or_default());
    words.map(str::to_owned).collect()
}

/// What zsh's `_arguments` and `_describe` are asked for the last of `words`.
fn zsh(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "compdef() {{ :; }}; _arguments() {{ print -rl -- $words; print -rl -- \"$@\"; }}
         _describe() {{ print -rl -- $commands; }}
         source {}; service={}; words=({}); CURRENT={}; _tyr",
        path(Shell::Zsh).display(),
        words[0],
        quoted.join(" "),
        words.len()
    );
    run(Shell::Zsh, &["-f", "-c", &line])
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn the_packaged_files_are_what_the_code_makes() {
    for shell in Shell::ALL {
        check(&path(shell), &script(shell, &programs()));
    }
}

#[test]
fn the_command_prints_them() {
    let (process, capture) = tyr::process::Process::for_test(&["tyr", "completion", "fish"], "");
    assert_eq!(tyr::applet::run(process), tyr::exit::Exit::Ok);
    assert_eq!(capture.stdout.text(), script(Shell::Fish, &programs()));
}

#[test]
fn shells_can_read_them() {
    for shell in Shell::ALL {
        let path = path(shell).display().to_string();
        run(shell, &["-n", &path]);
    }
}

#[test]
fn bash_completes() {
    assert_eq!(bash(&["tyr", "pol"]), ["policy"]);
    assert_eq!(bash(&["/usr/bin/tyr", "policy", "roll"]), ["rollback"]);
    assert_eq!(bash(&["tyr", "policy", "list", "--out"]), ["--output"]);
    assert_eq!(bash(&["tyr", "policy", "list", "--output", "j"]), ["json"]);
    assert_eq!(
        bash(&["tyr", "policy", "list", "--output", "=", "t"]),
        ["table"]
    );
    assert_eq!(
        bash(&["tyr", "audit", "tail", "--agent", "claude"]),
        ["claude-agent-sdk", "claude-code"]
    );
    assert_eq!(bash(&["tyrd", "--config", "Cargo.t"]), ["Cargo.toml"]);
    assert_eq!(bash(&["tyr", "policy", "check", "Cargo.t"]), ["Cargo.toml"]);
    assert_eq!(
        bash(&["tyr-server", "--data"]),
        ["--data-dir", "--database-url"]
    );
    assert_eq!(bash(&["tyr", "completion", "f"]), ["fish"]);
    assert!(bash(&["tyr", "hosts", "show", "x"]).is_empty());
}

#[test]
fn fish_completes() {
    assert_eq!(fish("tyr pol"), ["policy"]);
    assert_eq!(fish("tyr policy roll"), ["rollback"]);
    assert_eq!(fish("tyr policy list --output j"), ["json"]);
    assert_eq!(fish("tyr policy check Cargo.t"), ["Cargo.toml"]);
    assert_eq!(fish("tyrd --config Cargo.t"), ["Cargo.toml"]);
    assert_eq!(fish("tyr-server --data-"), ["--data-dir"]);
    assert!(fish("tyr ").contains(&"enrollment-token".to_owned()));
    assert!(!fish("tyr ").contains(&"rollback".to_owned()));
}

#[test]
fn zsh_completes() {
    let verbs = zsh(&["tyr", "policy", ""]);
    assert!(verbs.contains("rollback:Make the text"), "{verbs}");
    let options = zsh(&["tyr", "policy", "list", "--"]);
    assert!(options.starts_with("tyr policy list\n--\n"), "{options}");
    assert!(
        options.contains("--output=[table or json]:word:(table json)"),
        "{options}"
    );
    let of_daemon = zsh(&["tyrd", "--config", ""]);
    assert!(of_daemon.contains(":file:_files"), "{of_daemon}");
}
