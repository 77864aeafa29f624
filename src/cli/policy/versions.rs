//! `tyr policy list|show|diff|history|rollback`.

use argh::{ArgsInfo, FromArgs};

use crate::cli::client::{Client, path_segment};
use crate::cli::credentials::Credentials;
use crate::cli::output::{Format, Paint, Table, fields, json, plain, plain_lines};
use crate::cli::{Outcome, block_on, tell, write};
use crate::exit::Exit;
use crate::process::Process;
use crate::wire::rest::{
    PolicyDiff, PolicyDocument, PolicyList, PolicyVersionList, RollbackRequest,
};

use super::assign::about;

/// List all policies.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "list")]
pub(super) struct List {
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Show a policy: where it holds, and its text as it was applied.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "show")]
pub(super) struct Show {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// this version; default the newest
    #[argh(option, arg_name = "number")]
    version: Option<u64>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Show what changed between two versions.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "diff")]
pub(super) struct Diff {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// older version; default the one before --to
    #[argh(option, arg_name = "number")]
    from: Option<u64>,
    /// newer version; default the newest
    #[argh(option, arg_name = "number")]
    to: Option<u64>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// List the versions of a policy, newest first.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "history")]
pub(super) struct History {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Make the text of an earlier version the newest version.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "rollback")]
pub(super) struct Rollback {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// the version to bring back
    #[argh(option, arg_name = "number")]
    to: u64,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

fn client(process: &Process) -> Result<Client, crate::exit::Failure> {
    Client::new(&Credentials::load(process)?)
}

fn pairs(values: &[(&str, Option<u64>)]) -> Vec<(String, String)> {
    let given = values
        .iter()
        .filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?)));
    given
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

pub(super) fn list(process: &mut Process, list: &List) -> Outcome {
    let answer: PolicyList = block_on(client(process)?.get("policies", &[]))?;
    if list.output == Format::Json {
        json(process, &answer)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "VERSION", "RULES", "ASSIGNMENTS", "UPDATED", "BY"]);
    for policy in &answer.policies {
        table.row([
            policy.name.clone(),
            policy.version.to_string(),
            policy.rules.to_string(),
            policy.assignments.to_string(),
            policy.updated_at.to_string(),
            policy.updated_by.clone(),
        ]);
    }
    write(process, &table.text())?;
    for notice in answer
        .policies
        .iter()
        .filter_map(|policy| policy.notice.as_ref())
    {
        tell(process, notice);
    }
    Ok(Exit::Ok)
}

pub(super) fn show(process: &mut Process, show: &Show) -> Outcome {
    let path = format!("policies/{}", path_segment(&show.name));
    let pairs = pairs(&[("version", show.version)]);
    let answer: PolicyDocument = block_on(client(process)?.get(&path, &pairs))?;
    if show.output == Format::Json {
        json(process, &answer)?;
        return Ok(Exit::Ok);
    }
    // The text alone goes to standard output, so that it can be saved and applied again.
    let mut head = fields(&[
        (
            "policy",
            format!("{}@{}", answer.name, answer.version.version),
        ),
        (
            "applied",
            format!(
                "{} by {}",
                answer.version.created_at, answer.version.created_by
            ),
        ),
        ("sha256", answer.version.sha256.clone()),
        (
            "rollback of",
            answer
                .version
                .rollback_of
                .map_or(String::new(), |v| v.to_string()),
        ),
    ]);
    for assignment in &answer.assignments {
        head.push_str(&format!("assigned: {}\n", plain(&about(assignment))));
    }
    tell(process, head.trim_end());
    write(process, &plain_lines(&answer.yaml))?;
    Ok(Exit::Ok)
}

pub(super) fn diff(process: &mut Process, diff: &Diff) -> Outcome {
    let path = format!("policies/{}/diff", path_segment(&diff.name));
    let pairs = pairs(&[("from", diff.from), ("to", diff.to)]);
    let answer: PolicyDiff = block_on(client(process)?.get(&path, &pairs))?;
    match diff.output {
        Format::Json => json(process, &answer)?,
        Format::Table => {
            let text = painted(&answer.unified, Paint::of(process));
            write(process, &text)?;
        }
    }
    Ok(Exit::Ok)
}

fn painted(unified: &str, paint: Paint) -> String {
    let paint_line = |line: &str| {
        let text = plain(line);
        match line.as_bytes().first() {
            Some(b'+') => paint.green(&text),
            Some(b'-') => paint.red(&text),
            _ => text,
        }
    };
    unified
        .lines()
        .map(|line| paint_line(line) + "\n")
        .collect()
}

pub(super) fn history(process: &mut Process, history: &History) -> Outcome {
    let path = format!("policies/{}/versions", path_segment(&history.name));
    let answer: PolicyVersionList = block_on(client(process)?.get(&path, &[]))?;
    if history.output == Format::Json {
        json(process, &answer)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["VERSION", "RULES", "APPLIED", "BY", "ROLLBACK OF", "SHA256"]);
    for version in &answer.versions {
        table.row([
            version.version.to_string(),
            version.rules.to_string(),
            version.created_at.to_string(),
            version.created_by.clone(),
            version.rollback_of.map_or(String::new(), |v| v.to_string()),
            version.sha256.clone(),
        ]);
    }
    write(process, &table.text())?;
    Ok(Exit::Ok)
}

pub(super) fn rollback(process: &mut Process, rollback: &Rollback) -> Outcome {
    let path = format!("policies/{}/rollback", path_segment(&rollback.name));
    let request = RollbackRequest {
        version: rollback.to,
    };
    let answer: PolicyDocument = block_on(client(process)?.post(&path, &request))?;
    match rollback.output {
        Format::Json => json(process, &answer)?,
        Format::Table => {
            let text = format!(
                "{}@{} is the text of version {}\n",
                plain(&answer.name),
                answer.version.version,
                rollback.to
            );
            write(process, &text)?;
        }
    }
    Ok(Exit::Ok)
}
