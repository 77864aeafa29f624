use std::collections::BTreeSet;
use std::path::Path;

use super::{Config, ConfigError, Options};

const PACKAGED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/packaging/etc/server.yaml"
));
const MANUAL: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/packaging/man/tyr-server.8"
));

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("server.yaml"), text)
}

#[test]
fn the_packaged_file_says_the_defaults() {
    assert_eq!(
        parse(PACKAGED).expect("the packaged file is valid"),
        Config::default()
    );
    let uncommented: String = PACKAGED
        .lines()
        .filter_map(|line| {
            line.strip_prefix("#")
                .filter(|rest| !rest.starts_with([' ', '#']))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        parse(&uncommented).expect("every default is valid"),
        Config::default()
    );
    assert_eq!(
        uncommented.lines().count(),
        11,
        "every field is shown:\n{uncommented}"
    );
}

/// Every key, as serde lists them when it refuses one.
fn keys() -> BTreeSet<String> {
    let refused = serde_json::from_str::<Config>(r#"{"nonsense": 1}"#);
    let refused = refused.expect_err("no such key").to_string();
    let (_, list) = refused.split_once("expected").expect("it lists the keys");
    let quoted = list.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

#[test]
fn the_packaged_file_has_every_key_and_no_other() {
    let shown = PACKAGED.lines().filter_map(|line| {
        let setting = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' '))?;
        Some(setting.split_once(':')?.0.to_owned())
    });
    assert_eq!(shown.collect::<BTreeSet<String>>(), keys());
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let (_, after) = MANUAL.split_once(".Sh CONFIGURATION\n").expect("a section");
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
fn what_is_wrong_is_named() {
    let unknown = parse("grpc_lisen: 0.0.0.0:1")
        .expect_err("unknown field")
        .to_string();
    assert!(unknown.contains("grpc_lisen"), "{unknown}");
    let wrong = parse("rest_listen: nowhere")
        .expect_err("no address")
        .to_string();
    assert!(wrong.starts_with("server.yaml is not valid"), "{wrong}");
    for text in [
        "events_keep_days: 0",
        "host_certificate_hours: 9000",
        "shutdown_grace_s: 601",
    ] {
        let config = parse(text).expect("the type is right");
        let message = config.check().expect_err("out of range").to_string();
        assert!(
            message.starts_with(text.split(':').next().unwrap_or_default()),
            "{message}"
        );
    }
}

#[test]
fn names_of_the_certificate_are_checked() {
    let named = |name: &str| Config {
        server_names: vec![name.to_owned()],
        ..Config::default()
    };
    for name in ["tyr", "tyr.example.com", "10.0.0.1", "2001:db8::1", "A-1"] {
        assert!(named(name).check().is_ok(), "{name}");
    }
    for name in [
        "",
        "not a name",
        "*.example.com",
        "a..b",
        "-a",
        "a-",
        "tyr:7700",
        "ü",
    ] {
        assert!(named(name).check().is_err(), "{name}");
    }
}

#[test]
fn flags_overrule_the_file() {
    let mut config = parse("data_dir: /one\nserver_names: [a]").expect("valid");
    let options = Options {
        data_dir: Some("/two".into()),
        server_name: vec!["b".to_owned()],
        ..Options::default()
    };
    config.overrule(&options);
    assert_eq!(config.data_dir, Path::new("/two"));
    assert_eq!(config.all_names()[..2], ["a", "b"]);
    assert!(config.all_names().contains(&"127.0.0.1".to_owned()));
}
