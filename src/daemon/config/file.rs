//! daemon.yaml as it is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::yaml::{self, Mapping, Value};
use serde::Deserialize;

use crate::exit::{Exit, Failure};

/// Keys of the file; packaging/etc/daemon.yaml says what they mean. A section whose keys are all
/// commented out is `null` in YAML and counts as absent, hence the options.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) server: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) hostname: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) scope: Option<PathBuf>,
    pub(super) signatures: Option<Vec<PathBuf>>,
    pub(super) canary_interval_ms: Option<u64>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_filter: Option<String>,
    pub(super) spool: Option<Spool>,
    pub(super) events: Option<Events>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Spool {
    pub(super) bytes_max: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Events {
    pub(super) repeat_window_ms: Option<u64>,
    pub(super) unmatched: Option<bool>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::caused(
            Exit::NoInput,
            format!("cannot read {}", path.display()),
            &error,
        )
    })?;
    parse(&text).map_err(|message| {
        Failure::new(
            Exit::Config,
            format!("{} is not valid: {message}", path.display()),
        )
        .help("packaging/etc/daemon.yaml shows every key with its default")
    })
}

/// The settings in `text`, or what is wrong with it and on which line.
pub(super) fn parse(text: &str) -> Result<File, String> {
    let value: Value = yaml::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        format!("line {line}: {error}")
    })?;
    let mapping = match value {
        Value::Null => return Ok(File::default()),
        Value::Mapping(mapping) => mapping,
        _ => return Err("line 1: expected keys with values".to_owned()),
    };
    // One key at a time, so that an error names the key it is about.
    for (name, value) in &mapping {
        if let Value::Mapping(section) = value {
            for (inner, value) in section {
                let part = single(name, Value::Mapping(single(inner, value.clone())));
                read_part(part).map_err(|error| place(text, inner, &error))?;
            }
        }
        read_part(single(name, value.clone())).map_err(|error| place(text, name, &error))?;
    }
    read_part(mapping).map_err(|error| format!("line 1: {error}"))
}

fn read_part(part: Mapping) -> Result<File, String> {
    yaml::from_value(Value::Mapping(part)).map_err(|error| error.to_string())
}

fn single(key: &str, value: Value) -> Mapping {
    let mut mapping = Mapping::new();
    mapping.insert(key.to_owned(), value);
    mapping
}

/// The error with the first line that has the key.
fn place(text: &str, key: &str, error: &str) -> String {
    let starts = |line: &str| {
        let line = line.trim_start().trim_start_matches(['"', '\'', '{']);
        line.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with([':', '"', '\'', ' ']))
    };
    let line = text.lines().position(starts).map_or(1, |index| index + 1);
    format!("line {line}: {key}: {error}")
}
