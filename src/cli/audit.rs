//! `tyr audit`: what agents did.

pub mod line;
mod query;
mod tail;

use argh::{ArgsInfo, FromArgs};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::exit::{Exit, Failure};
use crate::model::action::Action;
use crate::model::verdict::{Severity, Verdict};
use crate::process::Process;
use crate::wire::rest::{EventPage, EventQuery, EventRecord};

use super::client::Client;
use super::credentials::Credentials;
use super::output::{Format, Paint, json};
use super::{Outcome, block_on, write};

/// Follow and search the audit.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "audit")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    Tail(Tail),
    Search(Search),
}

/// Show the newest events, and with -f what happens from now on.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "tail")]
struct Tail {
    /// go on with new events until interrupted
    #[argh(switch, short = 'f')]
    follow: bool,
    /// show this many of the newest events first; default 20
    #[argh(option, short = 'n', default = "20", arg_name = "number")]
    lines: u32,
    /// only this verdict: allow, alert or deny
    #[argh(option)]
    verdict: Option<Verdict>,
    /// only this agent: type such as claude-code, or id of a session
    #[argh(option)]
    agent: Option<String>,
    /// only this action, such as file_read
    #[argh(option)]
    action: Option<Action>,
    /// only this host (id or name)
    #[argh(option)]
    host: Option<String>,
    /// only this severity or higher
    #[argh(option)]
    severity: Option<Severity>,
    /// only events that this policy decided
    #[argh(option)]
    policy: Option<String>,
    /// only events that this rule decided
    #[argh(option)]
    rule: Option<String>,
    /// table: one line an event; json: one JSON object a line
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Search the audit, newest first.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "search")]
struct Search {
    /// only this verdict: allow, alert or deny
    #[argh(option)]
    verdict: Option<Verdict>,
    /// only this agent: type such as claude-code, or id of a session
    #[argh(option)]
    agent: Option<String>,
    /// only this action, such as file_read
    #[argh(option)]
    action: Option<Action>,
    /// only this host (id or name)
    #[argh(option)]
    host: Option<String>,
    /// only this severity or higher
    #[argh(option)]
    severity: Option<Severity>,
    /// only events that this policy decided
    #[argh(option)]
    policy: Option<String>,
    /// only events that this rule decided
    #[argh(option)]
    rule: Option<String>,
    /// only this kind: operation, agent_started, agent_ended, lost, policy_applied or alarm
    #[argh(option)]
    kind: Option<String>,
    /// only resources that contain this text
    #[argh(option)]
    resource: Option<String>,
    /// only executables whose path contains this text
    #[argh(option, arg_name = "path")]
    exe: Option<String>,
    /// only processes of this user
    #[argh(option)]
    user: Option<String>,
    /// only this process
    #[argh(option, arg_name = "number")]
    pid: Option<u32>,
    /// from this time on: RFC 3339, or how long ago, such as 2h
    #[argh(option, arg_name = "time")]
    since: Option<String>,
    /// before this time: RFC 3339, or how long ago
    #[argh(option, arg_name = "time")]
    until: Option<String>,
    /// at most this many events; default 100
    #[argh(option, default = "100", arg_name = "number")]
    limit: u32,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Events the server gives in one answer.
const PAGE_MAX: u32 = 1_000;

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    match &args.verb {
        Verb::Tail(tail) => {
            let query = query::of_tail(tail);
            let mut printer = Printer::new(process, tail.output);
            block_on(tail::run(
                process,
                &client,
                &mut printer,
                query,
                tail.lines,
                tail.follow,
            ))?;
        }
        Verb::Search(search) => {
            let query = query::of_search(search, Timestamp::now())?;
            let page = block_on(collect(&client, query, search.limit))?;
            match search.output {
                Format::Json => json(process, &page)?,
                Format::Table => {
                    let mut printer = Printer::new(process, Format::Table);
                    for event in &page.events {
                        printer.print(process, event)?;
                    }
                }
            }
        }
    }
    Ok(Exit::Ok)
}

/// At most `limit` events of as many pages as that takes.
async fn collect(client: &Client, mut query: EventQuery, limit: u32) -> Result<EventPage, Failure> {
    let mut all = EventPage {
        events: Vec::new(),
        next: None,
    };
    let mut left = limit;
    while left > 0 {
        query.limit = Some(left.min(PAGE_MAX));
        let page: EventPage = client.get("events", &query.pairs()).await?;
        left = left.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
        let is_empty = page.events.is_empty();
        all.events.extend(page.events);
        all.next = page.next;
        if all.next.is_none() || is_empty {
            break;
        }
        query.cursor = all.next.clone();
    }
    Ok(all)
}

/// Prints events one at a time.
struct Printer {
    format: Format,
    paint: Paint,
    zone: TimeZone,
}

impl Printer {
    fn new(process: &Process, format: Format) -> Printer {
        Printer {
            format,
            paint: Paint::of(process),
            zone: TimeZone::system(),
        }
    }

    fn print(&mut self, process: &mut Process, event: &EventRecord) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => line::text(event, self.paint, &self.zone),
            Format::Json => serde_json::to_string(event).map_err(|error| {
                Failure::caused(Exit::Software, "cannot encode an event", &error)
            })?,
        };
        write(process, &format!("{text}\n"))
    }
}

#[cfg(test)]
mod tests;
