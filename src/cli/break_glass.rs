//! `tyr break-glass`: let a host work on when a policy stops what must go on.

use argh::{ArgsInfo, FromArgs};

use crate::exit::{Exit, Failure};
use crate::process::Process;
use crate::wire::rest::{BREAK_GLASS_S_MAX, BreakGlassRequest, Host};

use super::client::{Client, path_segment};
use super::credentials::Credentials;
use super::enrollment_token::duration_s;
use super::output::{Format, json, plain};
use super::{Outcome, block_on, tell, write};

/// For a while, let a host report deny verdicts and not enforce them. Every start and end is kept.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "break-glass")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    Start(Start),
    End(End),
}

/// Start it on a host, in place of what it has. It ends by itself, also without the server; what
/// protects Tyr stays enforced.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "start")]
struct Start {
    /// on this host (id or name)
    #[argh(option)]
    host: String,
    /// how long, such as 15m or 1h; at most 4h
    #[argh(option, long = "for", from_str_fn(duration_s), arg_name = "duration")]
    seconds: u64,
    /// why; kept, and told to the host
    #[argh(option, arg_name = "text")]
    reason: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// End it on a host before its time.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "end")]
struct End {
    /// on this host (id or name)
    #[argh(option)]
    host: String,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    match &args.verb {
        Verb::Start(start) => begin(process, start),
        Verb::End(end) => finish(process, end),
    }
}

fn begin(process: &mut Process, start: &Start) -> Outcome {
    let seconds = start.seconds;
    if seconds > BREAK_GLASS_S_MAX {
        let hours = BREAK_GLASS_S_MAX / 3_600;
        return Err(Failure::new(
            Exit::Usage,
            format!("a break-glass of {seconds} s is too long"),
        )
        .help(format!(
            "at most {hours}h; for longer assign the policy with --mode monitor"
        )));
    }
    let request = BreakGlassRequest {
        seconds,
        reason: start.reason.clone(),
    };
    let client = Client::new(&Credentials::load(process)?)?;
    let host: Host = block_on(client.post(&path(&start.host), &request))?;
    match start.output {
        Format::Json => json(process, &host)?,
        Format::Table => {
            let ends = host
                .break_glass
                .map_or(String::new(), |held| format!(" until {}", held.ends_at));
            let name = plain(&host.hostname);
            write(
                process,
                &format!("{name} reports deny verdicts and does not enforce them{ends}\n"),
            )?;
        }
    }
    Ok(Exit::Ok)
}

fn finish(process: &mut Process, end: &End) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    block_on(client.delete(&path(&end.host)))?;
    tell(process, &format!("{} enforces again", end.host));
    Ok(Exit::Ok)
}

fn path(host: &str) -> String {
    format!("hosts/{}/break-glass", path_segment(host))
}
