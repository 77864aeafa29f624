use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use argh::FromArgs;

use super::file::{File, parse};
use super::{Args, Config};
use crate::exit::{Exit, Failure};
use crate::yaml::{self, Mapping, Value};

fn resolve(args: &[&str]) -> Result<Config, Failure> {
    let args = Args::from_args(&["tyrd"], args).expect("the options are known");
    Config::resolve(&args, "machine")
}

/// The packaged file, its example values taken in.
fn packaged(uncommented: bool) -> String {
    let text = include_str!("../../../packaging/etc/daemon.yaml");
    let lines = text.lines().map(|line| {
        let bare = line.trim_start();
        let is_setting = bare.starts_with("# ")
            && bare[2..]
                .split_once(':')
                .is_some_and(|(key, _)| !key.trim().contains(' '));
        if uncommented && is_setting {
            line.replacen("# ", "", 1)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Every key, as serde lists them when it refuses one; those of a section after its name.
fn keys() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for section in ["", "spool", "events"] {
        let (text, before) = match section {
            "" => (r#"{"nonsense": 1}"#.to_owned(), String::new()),
            _ => {
                let text = format!(r#"{{"{section}": {{"nonsense": 1}}}}"#);
                (text, format!("{section}."))
            }
        };
        let refused = serde_json::from_str::<File>(&text);
        let refused = refused.expect_err("no such key").to_string();
        let (_, list) = refused.split_once("expected").expect("it lists the keys");
        let quoted = list.split('`').skip(1).step_by(2);
        found.extend(quoted.map(|key| format!("{before}{key}")));
    }
    found
}

#[test]
fn the_packaged_file_has_every_key_and_no_other() {
    let shown: Mapping = yaml::from_str(&packaged(true)).expect("the packaged file is valid");
    let mut found = BTreeSet::new();
    for (key, value) in &shown {
        // Its keys are the operator's.
        if let (Value::Mapping(section), true) = (value, key != "labels") {
            found.extend(section.iter().map(|(inner, _)| format!("{key}.{inner}")));
        }
        found.insert(key.clone());
    }
    assert_eq!(found, keys());
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let manual = include_str!("../../../packaging/man/tyrd.8");
    let (_, after) = manual.split_once(".Sh CONFIGURATION\n").expect("a section");
    let section = after.split(".Sh ").next().unwrap_or_default();
    let named = section
        .lines()
        .filter_map(|line| line.strip_prefix(".It Ic "));
    assert_eq!(
        named.map(str::to_owned).collect::<BTreeSet<String>>(),
        keys()
    );
}

#[test]
fn the_packaged_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.yaml");
    fs::write(&path, packaged(false)).unwrap();
    let from_file = resolve(&["--config", path.to_str().unwrap()]).unwrap();
    fs::write(&path, "").unwrap();
    let from_nothing = resolve(&["--config", path.to_str().unwrap()]).unwrap();
    assert_eq!(format!("{from_file:?}"), format!("{from_nothing:?}"));
}

#[test]
fn the_packaged_file_shows_every_key_with_its_default() {
    let file = parse(&packaged(true)).unwrap();
    assert_eq!(file.server.as_deref(), Some("tyr.example.com:7700"));
    assert_eq!(file.labels.unwrap()["team"], "platform");
    let default = parse("").unwrap();
    assert!(default.server.is_none());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.yaml");
    fs::write(&path, "").unwrap();
    let config = resolve(&["--config", path.to_str().unwrap()]).unwrap();
    assert_eq!(file.state_dir.as_ref(), Some(&config.state_dir));
    assert_eq!(file.log_filter.as_ref(), Some(&config.log_filter));
    assert_eq!(file.spool.unwrap().bytes_max, Some(config.spool_bytes_max));
    let events = file.events.unwrap();
    assert_eq!(events.unmatched, Some(config.unmatched_events));
    let window_ms = events.repeat_window_ms.unwrap();
    assert_eq!(u128::from(window_ms), config.repeat_window.as_millis());
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, expected) in [
        ("sever: a:1", "sever"),
        ("spool:\n  bytes: 3", "bytes"),
        ("log_format: xml", "xml"),
        ("labels: 3", "labels"),
        ("server: [", ""),
    ] {
        let message = parse(text).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(message.contains("line"), "{text}: {message}");
    }
}

#[test]
fn options_stand_above_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.yaml");
    fs::write(
        &path,
        "server: a:1\nstate_dir: /x\nlabels: {env: dev, team: a}\nhostname: h\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let config = resolve(&[
        "--config",
        path,
        "--server",
        "b:2",
        "--label",
        "env=prod",
        "--scope",
        "cgroup:/c",
    ])
    .unwrap();
    assert_eq!(config.server.as_deref(), Some("b:2"));
    assert_eq!(config.state_dir.to_str(), Some("/x"));
    assert_eq!(config.hostname, "h");
    assert_eq!(config.labels["env"], "prod");
    assert_eq!(config.labels["team"], "a");
    assert_eq!(config.scope.unwrap().to_str(), Some("/c"));
}

#[test]
fn contradictions_and_unsupported_options_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.yaml");
    fs::write(&path, "").unwrap();
    let path = path.to_str().unwrap();
    for args in [
        vec!["--tls-capture"],
        vec!["--server", "nowhere"],
        vec!["--server", ":7700"],
        vec!["--server", "a:1", "--policy", "p.yaml"],
        vec!["--scope", "/sys/fs/cgroup"],
        vec!["--scope", "cgroup:relative"],
        vec!["--label", "novalue"],
    ] {
        let all: Vec<&str> = ["--config", path].into_iter().chain(args.clone()).collect();
        let failure = resolve(&all).expect_err(&format!("{args:?}"));
        assert_eq!(failure.exit, Exit::Usage, "{args:?}");
    }
    fs::write(path, "spool: {bytes_max: 5}").unwrap();
    assert_eq!(resolve(&["--config", path]).unwrap_err().exit, Exit::Config);
    assert_eq!(
        resolve(&["--config", "/nonexistent"]).unwrap_err().exit,
        Exit::NoInput
    );
}

#[test]
fn the_canary_has_an_interval_that_makes_sense() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("daemon.yaml");
    let resolve = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let args = Args {
            config: Some(file.clone()),
            ..Args::default()
        };
        Config::resolve(&args, "host")
    };
    assert_eq!(resolve("").unwrap().canary_interval, Duration::from_secs(5));
    let set = resolve("canary_interval_ms: 500\n").unwrap();
    assert_eq!(set.canary_interval, Duration::from_millis(500));
    for wrong in ["canary_interval_ms: 0\n", "canary_interval_ms: 99999999\n"] {
        let failure = resolve(wrong).unwrap_err();
        assert!(failure.message.contains("canary_interval_ms"), "{failure}");
    }
}
