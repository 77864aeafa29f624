//! `tyr agents`: agent sessions on all hosts.

use argh::{ArgsInfo, FromArgs};
use jiff::Timestamp;

use crate::exit::Exit;
use crate::process::Process;
use crate::wire::rest::{Agent, AgentList, AgentQuery};

use super::client::{Client, path_segment};
use super::credentials::Credentials;
use super::hosts::ago;
use super::output::{Format, Table, fields, json};
use super::{Outcome, block_on, write};

/// List and show agent sessions.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "agents")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    List(List),
    Show(Show),
}

/// List agent sessions, newest first.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "list")]
struct List {
    /// only on this host (id or name)
    #[argh(option)]
    host: Option<String>,
    /// only of this agent type, such as claude-code
    #[argh(option, arg_name = "type")]
    agent_type: Option<String>,
    /// also sessions that have ended
    #[argh(switch)]
    all: bool,
    /// at most this many, 1 to 1000
    #[argh(option, arg_name = "number")]
    limit: Option<u32>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Show one agent session.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "show")]
struct Show {
    /// id of the agent session
    #[argh(positional)]
    agent: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    match &args.verb {
        Verb::List(list) => {
            let answer: AgentList = block_on(client.get("agents", &pairs(list)))?;
            match list.output {
                Format::Json => json(process, &answer)?,
                Format::Table => write(process, &table(&answer.agents, Timestamp::now()))?,
            }
        }
        Verb::Show(show) => {
            let path = format!("agents/{}", path_segment(&show.agent));
            let agent: Agent = block_on(client.get(&path, &[]))?;
            match show.output {
                Format::Json => json(process, &agent)?,
                Format::Table => write(process, &sheet(&agent))?,
            }
        }
    }
    Ok(Exit::Ok)
}

fn pairs(list: &List) -> Vec<(String, String)> {
    let query = AgentQuery {
        host: list.host.clone(),
        agent_type: list.agent_type.clone(),
        live: (!list.all).then_some(true),
        limit: list.limit,
    };
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        pairs.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("host", query.host);
    add("agent_type", query.agent_type);
    add("live", query.live.map(|live| live.to_string()));
    add("limit", query.limit.map(|limit| limit.to_string()));
    pairs
}

fn table(agents: &[Agent], now: Timestamp) -> String {
    let mut table = Table::new(&[
        "ID", "TYPE", "HOST", "PID", "USER", "STATE", "STARTED", "ALLOWED", "ALERTED", "DENIED",
    ]);
    for agent in agents {
        table.row([
            agent.id.clone(),
            agent.agent_type.clone(),
            agent.hostname.clone(),
            agent.root_pid.to_string(),
            agent.user.clone(),
            if agent.live {
                "live".to_owned()
            } else {
                "ended".to_owned()
            },
            ago(agent.started_at, now),
            agent.allowed.to_string(),
            agent.alerted.to_string(),
            agent.denied.to_string(),
        ]);
    }
    table.text()
}

fn sheet(agent: &Agent) -> String {
    fields(&[
        ("id", agent.id.clone()),
        ("type", agent.agent_type.clone()),
        ("host", format!("{} ({})", agent.hostname, agent.host_id)),
        ("pid", agent.root_pid.to_string()),
        ("exe", agent.exe.clone()),
        ("user", agent.user.clone()),
        ("evidence", agent.evidence.clone()),
        ("started", agent.started_at.to_string()),
        (
            "ended",
            agent.ended_at.map_or(String::new(), |at| at.to_string()),
        ),
        ("last seen", agent.last_seen_at.to_string()),
        ("allowed", agent.allowed.to_string()),
        ("alerted", agent.alerted.to_string()),
        ("denied", agent.denied.to_string()),
    ])
}
