//! `tyr policy assign|unassign`: where a policy holds.

use argh::{ArgsInfo, FromArgs};

use crate::cli::client::{Client, path_segment};
use crate::cli::credentials::Credentials;
use crate::cli::output::{Format, json, plain};
use crate::cli::{Outcome, block_on, tell, write};
use crate::exit::{Exit, Failure};
use crate::model::verdict::Mode;
use crate::process::Process;
use crate::wire::rest::{AssignAnswer, AssignRequest, Assignment, AssignmentList, Target};

use super::apply::limits;

/// Make a policy hold: on all hosts, one host, or the hosts with a label.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "assign")]
pub(super) struct Assign {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// on every host
    #[argh(switch)]
    all: bool,
    /// on this host (id or name)
    #[argh(option)]
    host: Option<String>,
    /// on hosts with this label, KEY=VALUE
    #[argh(option, arg_name = "key=value")]
    label: Option<String>,
    /// only for this agent type; may be given several times
    #[argh(option, arg_name = "type")]
    agent_type: Vec<String>,
    /// enforce (default), or monitor: report and block nothing
    #[argh(option, default = "Mode::Enforce")]
    mode: Mode,
    /// this version and no newer one; default always the newest
    #[argh(option, arg_name = "number")]
    version: Option<u64>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// End assignments of a policy: the one with this id, or all.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "unassign")]
pub(super) struct Unassign {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// id of the assignment, as `tyr policy show` prints it
    #[argh(option)]
    id: Option<String>,
    /// end all assignments of the policy
    #[argh(switch)]
    all: bool,
}

pub(super) fn assign(process: &mut Process, assign: &Assign) -> Outcome {
    let target = target(assign)?;
    let request = AssignRequest {
        target,
        agent_types: assign.agent_type.clone(),
        mode: assign.mode,
        version: assign.version,
    };
    let client = Client::new(&Credentials::load(process)?)?;
    let path = format!("policies/{}/assign", path_segment(&assign.name));
    let answer: AssignAnswer = block_on(client.post(&path, &request))?;
    match assign.output {
        Format::Json => json(process, &answer)?,
        Format::Table => {
            let hosts = answer.hosts;
            let text = format!(
                "{} ({hosts} host(s) now)\n",
                plain(&about(&answer.assignment))
            );
            write(process, &text)?;
            for limit in limits(&answer.limits) {
                tell(process, &limit);
            }
        }
    }
    Ok(Exit::Ok)
}

fn target(assign: &Assign) -> Result<Target, Failure> {
    let wrong = |message: &str| {
        Err(Failure::new(Exit::Usage, message)
            .help("give one of --all, --host and --label KEY=VALUE"))
    };
    match (assign.all, &assign.host, &assign.label) {
        (true, None, None) => Ok(Target::All),
        (false, Some(host), None) => Ok(Target::Host { host: host.clone() }),
        (false, None, Some(label)) => match label.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Target::Label {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => wrong("a label is KEY=VALUE"),
        },
        (false, None, None) => wrong("an assignment needs a target"),
        _ => wrong("an assignment has one target"),
    }
}

pub(super) fn unassign(process: &mut Process, unassign: &Unassign) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    let pairs = [("policy".to_owned(), unassign.name.clone())];
    let list: AssignmentList = block_on(client.get("assignments", &pairs))?;
    let chosen: Vec<&Assignment> = list
        .assignments
        .iter()
        .filter(|assignment| match &unassign.id {
            Some(id) => assignment.id.to_string() == *id,
            None => true,
        })
        .collect();
    if chosen.is_empty() {
        return Err(Failure::new(
            Exit::NoName,
            format!("policy `{}` has no such assignment", unassign.name),
        )
        .help("`tyr policy show` prints the assignments of a policy"));
    }
    if chosen.len() > 1 && !unassign.all {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "policy `{}` has {} assignments",
                unassign.name,
                chosen.len()
            ),
        )
        .help("give --id for one of them, or --all"));
    }
    for assignment in chosen {
        block_on(client.delete(&format!("assignments/{}", assignment.id)))?;
        tell(process, &format!("ended: {}", about(assignment)));
    }
    Ok(Exit::Ok)
}

/// An assignment in one line.
pub(super) fn about(assignment: &Assignment) -> String {
    let target = match &assignment.target {
        Target::All => "all hosts".to_owned(),
        Target::Host { host } => format!("host {host}"),
        Target::Label { key, value } => format!("hosts labelled {key}={value}"),
    };
    let agents = match assignment.agent_types.as_slice() {
        [] => "every agent".to_owned(),
        types => types.join(", "),
    };
    let version = assignment
        .version
        .map_or("newest".to_owned(), |v| format!("version {v}"));
    format!(
        "{} ({version}) on {target} for {agents}, {} [{}]",
        assignment.policy, assignment.mode, assignment.id
    )
}
