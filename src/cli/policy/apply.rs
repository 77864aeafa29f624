//! `tyr policy apply`.

use std::io::Read;

use argh::{ArgsInfo, FromArgs};

use crate::cli::client::Client;
use crate::cli::credentials::Credentials;
use crate::cli::output::{Format, json, plain, plain_lines};
use crate::cli::{Outcome, block_on, tell, write};
use crate::exit::{Exit, Failure};
use crate::process::Process;
use crate::wire::rest::{AppliedPolicy, ApplyAnswer, ApplyOutcome, HostLimit};

/// Check a file of policies on the server and make a new version of each that changed.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "apply")]
pub(super) struct Apply {
    /// file with one or more policies; - is standard input
    #[argh(option, short = 'f', arg_name = "file")]
    file: String,
    /// check and show what would happen, change nothing
    #[argh(switch)]
    dry_run: bool,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Longest file that is sent; the server refuses much shorter ones and says so itself.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(super) fn run(process: &mut Process, apply: &Apply) -> Outcome {
    let yaml = read(process, &apply.file)?;
    let client = Client::new(&Credentials::load(process)?)?;
    let mut pairs = vec![("source".to_owned(), apply.file.clone())];
    if apply.dry_run {
        pairs.push(("dry_run".to_owned(), "true".to_owned()));
    }
    let answer: ApplyAnswer = block_on(client.post_yaml("policies", &pairs, yaml))?;
    match apply.output {
        Format::Json => json(process, &answer)?,
        Format::Table => {
            for warning in &answer.warnings {
                tell(process, &warning.to_string());
            }
            let lines: Vec<String> = answer
                .policies
                .iter()
                .map(|policy| line(policy, answer.dry_run))
                .collect();
            write(process, &lines.concat())?;
            for limit in limits(&answer.limits) {
                tell(process, &limit);
            }
        }
    }
    Ok(Exit::Ok)
}

/// Text of a file, or of standard input.
fn read(process: &mut Process, file: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        (&mut process.stdin)
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::caused(Exit::NoInput, format!("cannot read {file}"), &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(
            Exit::Data,
            format!("{file} is longer than {FILE_BYTES_MAX} bytes"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Failure::new(
            Exit::Data,
            format!("{file} is not UTF-8: first bad byte at offset {place}"),
        )
    })
}

fn line(policy: &AppliedPolicy, dry_run: bool) -> String {
    let outcome = match (policy.outcome, dry_run) {
        (ApplyOutcome::Created, false) => "created",
        (ApplyOutcome::Updated, false) => "updated",
        (ApplyOutcome::Created, true) => "would be created",
        (ApplyOutcome::Updated, true) => "would be updated",
        (ApplyOutcome::Unchanged, _) => "unchanged",
    };
    let assignments = match policy.assignments {
        0 => "not assigned: it holds nowhere until `tyr policy assign`".to_owned(),
        1 => "1 assignment".to_owned(),
        count => format!("{count} assignments"),
    };
    format!(
        "{}@{} {outcome}, {assignments}\n",
        plain(&policy.name),
        policy.version
    )
}

/// What hosts do not enforce, one sentence a line.
pub(super) fn limits(limits: &[HostLimit]) -> Vec<String> {
    let name = |limit: &HostLimit| match (&limit.host_id, limit.hostname.as_str()) {
        (None, _) => "every host".to_owned(),
        (Some(id), "") => format!("host {id}"),
        (Some(_), hostname) => format!("host {hostname}"),
    };
    let rule = |limit: &HostLimit| match &limit.rule {
        Some(rule) => format!("rule `{rule}` of `{}`", limit.policy),
        None => format!("policy `{}`", limit.policy),
    };
    limits
        .iter()
        .map(|limit| {
            plain_lines(&format!(
                "not enforced on {}: {}: {}",
                name(limit),
                rule(limit),
                limit.reason
            ))
        })
        .collect()
}
