//! `tyr hosts`: the machines that run the daemon.

use argh::{ArgsInfo, FromArgs};
use jiff::Timestamp;

use crate::exit::Exit;
use crate::process::Process;
use crate::wire::rest::{Enforcement, Host, HostList};

use super::client::{Client, path_segment};
use super::credentials::Credentials;
use super::output::{Format, Table, fields, json};
use super::{Outcome, block_on, tell, write};

/// List, show and revoke hosts.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "hosts")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    List(List),
    Show(Show),
    Revoke(Revoke),
}

/// List all hosts.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "list")]
struct List {
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Show one host.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "show")]
struct Show {
    /// id or name of the host
    #[argh(positional)]
    host: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Refuse a host's certificate from now on. What it enforces stays in force on it.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "revoke")]
struct Revoke {
    /// id or name of the host
    #[argh(positional)]
    host: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    match &args.verb {
        Verb::List(list) => {
            let answer: HostList = block_on(client.get("hosts", &[]))?;
            match list.output {
                Format::Json => json(process, &answer)?,
                Format::Table => write(process, &table(&answer.hosts, Timestamp::now()))?,
            }
        }
        Verb::Show(show) => {
            let path = format!("hosts/{}", path_segment(&show.host));
            let host: Host = block_on(client.get(&path, &[]))?;
            match show.output {
                Format::Json => json(process, &host)?,
                Format::Table => write(process, &sheet(&host, Timestamp::now()))?,
            }
        }
        Verb::Revoke(revoke) => {
            let path = format!("hosts/{}/revoke", path_segment(&revoke.host));
            let host: Host = block_on(client.post(&path, &serde_json::json!({})))?;
            match revoke.output {
                Format::Json => json(process, &host)?,
                Format::Table => tell(process, &format!("revoked {} ({})", host.hostname, host.id)),
            }
        }
    }
    Ok(Exit::Ok)
}

fn table(hosts: &[Host], now: Timestamp) -> String {
    let mut table = Table::new(&[
        "HOST",
        "ID",
        "STATE",
        "ENFORCEMENT",
        "POLICY",
        "AGENTS",
        "SEEN",
        "VERSION",
    ]);
    for host in hosts {
        table.row([
            host.hostname.clone(),
            host.id.to_string(),
            state(host).to_owned(),
            enforcement(host.enforcement).to_owned(),
            revision(host),
            host.agents_live.to_string(),
            host.last_seen_at
                .map_or("never".to_owned(), |at| ago(at, now)),
            host.version.clone(),
        ]);
    }
    table.text()
}

fn sheet(host: &Host, now: Timestamp) -> String {
    let labels: Vec<String> = host
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.to_string());
    let mut text = fields(&[
        ("host", host.hostname.clone()),
        ("id", host.id.to_string()),
        ("state", state(host).to_owned()),
        (
            "seen",
            host.last_seen_at
                .map_or("never".to_owned(), |at| ago(at, now)),
        ),
        ("enforcement", enforcement(host.enforcement).to_owned()),
        ("break-glass", break_glass(host)),
        ("policy revision", revision(host)),
        ("generation", host.generation.to_string()),
        ("agents", host.agents_live.to_string()),
        ("events kept", host.acknowledged.to_string()),
        ("labels", labels.join(" ")),
        ("kernel", host.kernel.clone()),
        ("version", host.version.clone()),
        ("machine id", host.machine_id.clone()),
        ("boot id", host.boot_id.clone()),
        ("enrolled", host.enrolled_at.to_string()),
        ("revoked", time(host.revoked_at)),
        ("certificate ends", time(host.certificate_expires_at)),
    ]);
    for (title, lines) in [
        ("limits", &host.limits),
        ("policy problems", &host.policy_problems),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("{title}:\n"));
            for line in lines {
                text.push_str(&format!("  {}\n", super::output::plain(line)));
            }
        }
    }
    if !host.counters.is_empty() {
        text.push_str("counters:\n");
        for (name, value) in &host.counters {
            text.push_str(&format!("  {} {value}\n", super::output::plain(name)));
        }
    }
    text
}

/// Empty: there is none.
fn break_glass(host: &Host) -> String {
    host.break_glass.as_ref().map_or(String::new(), |held| {
        format!(
            "until {} by {}: {}",
            held.ends_at, held.started_by, held.reason
        )
    })
}

fn state(host: &Host) -> &'static str {
    if host.revoked_at.is_some() {
        "revoked"
    } else if host.stale {
        "stale"
    } else {
        "live"
    }
}

fn enforcement(enforcement: Enforcement) -> &'static str {
    match enforcement {
        Enforcement::Unknown => "unknown",
        Enforcement::Lsm => "lsm",
        Enforcement::FmodRet => "fmod_ret (degraded)",
        Enforcement::Observe => "observe (nothing is blocked)",
    }
}

/// The revision in force; an arrow when the server has a newer one.
fn revision(host: &Host) -> String {
    if host.policy_revision == host.policy_revision_wanted {
        host.policy_revision.to_string()
    } else {
        format!(
            "{} (server has {})",
            host.policy_revision, host.policy_revision_wanted
        )
    }
}

/// How long ago, in the largest unit that fits.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - at.as_second()).max(0);
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
