use proptest::prelude::*;

use super::{ARG_BYTES_MAX, ARGS_MAX, arguments};

#[track_caller]
fn check(given: &[&str], expected: &[&str]) {
    assert_eq!(arguments(given.iter().copied()), expected);
}

#[test]
fn named_secrets_go() {
    check(
        &["x", "--password", "hunter2", "a"],
        &["x", "--password", "[redacted]", "a"],
    );
    check(
        &["--api-key=abc", "--token", "t"],
        &["--api-key=[redacted]", "--token", "[redacted]"],
    );
    check(
        &["AWS_SECRET_ACCESS_KEY=abc"],
        &["AWS_SECRET_ACCESS_KEY=[redacted]"],
    );
    check(
        &["--auth-token", "--verbose", "x"],
        &["--auth-token", "--verbose", "x"],
    );
}

#[test]
fn a_shell_line_is_read_word_by_word() {
    check(
        &[
            "bash",
            "-c",
            "curl -H 'Authorization: Bearer abc123' https://u:p@h/x | TOKEN=1 tee out",
        ],
        &[
            "bash",
            "-c",
            "curl -H 'Authorization: Bearer [redacted]' https://u:[redacted]@h/x | TOKEN=[redacted] tee out",
        ],
    );
    check(&["-H", "x-api-key: k"], &["-H", "x-api-key: [redacted]"]);
    check(
        &["-H", "Authorization: raw"],
        &["-H", "Authorization: [redacted]"],
    );
}

#[test]
fn secrets_by_their_form_go() {
    for secret in [
        "sk-ant-api03-AAAABBBBCCCCDDDD",
        "ghp_0123456789abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk",
        "tyr_et_0123456789.abcdef",
    ] {
        check(&[secret], &["[redacted]"]);
        check(&[&format!("echo {secret}>f")], &["echo [redacted]>f"]);
        check(&[&format!("--x={secret}")], &["--x=[redacted]"]);
    }
}

#[test]
fn ordinary_arguments_stay() {
    for argument in [
        "--max-tokens=4096",
        "--token-file=/etc/t",
        "skip-this-one-please-now",
        "https://host:8080/path@v1",
        "sk-short",
        "src/secret.rs",
        "C:\\x",
        "it's é",
    ] {
        check(&[argument], &[argument]);
    }
}

#[test]
fn what_is_long_is_cut() {
    let long = "é".repeat(ARG_BYTES_MAX);
    let kept = arguments([long.as_str()]);
    assert!(kept[0].len() <= ARG_BYTES_MAX + "…".len());
    let many = vec!["a"; 500];
    assert_eq!(arguments(many).len(), ARGS_MAX + 1);
}

proptest! {
    #[test]
    fn no_input_panics_and_a_named_secret_never_survives(
        before in ".{0,40}",
        secret in "[a-zA-Z0-9]{12,40}",
    ) {
        let given = [before.as_str(), "--password", secret.as_str()];
        let kept = arguments(given).join(" ");
        prop_assert!(before.contains(&secret) || before.starts_with("--") || !kept.contains(&secret));
    }
}
