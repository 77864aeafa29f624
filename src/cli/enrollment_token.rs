//! `tyr enrollment-token`: what makes a machine a host.

use argh::{ArgsInfo, FromArgs};
use jiff::Timestamp;

use crate::exit::{Exit, Failure};
use crate::process::Process;
use crate::wire::rest::{
    EnrollmentTokenList, EnrollmentTokenRequest, EnrollmentTokenSecret, TokenState,
};

use super::client::{Client, path_segment};
use super::credentials::Credentials;
use super::output::{Format, Table, json};
use super::{Outcome, block_on, tell, write};

/// Create, list and revoke enrolment tokens.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "enrollment-token")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Create a token and print it. It is shown only once.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "create")]
struct Create {
    /// what it is for
    #[argh(option, default = "String::new()", arg_name = "text")]
    description: String,
    /// how many machines may use it; default 1
    #[argh(option, arg_name = "number")]
    uses: Option<u32>,
    /// how long it may be used, such as 15m, 1h or 7d; default 1h
    #[argh(option, from_str_fn(duration_s), arg_name = "duration")]
    expires: Option<u64>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// List tokens.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "list")]
struct List {
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Revoke a token. Hosts that used it stay enrolled.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "revoke")]
struct Revoke {
    /// id of the token
    #[argh(positional)]
    id: String,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    match &args.verb {
        Verb::Create(create) => {
            let request = EnrollmentTokenRequest {
                description: create.description.clone(),
                uses_max: create.uses,
                expires_in_s: create.expires,
            };
            let answer: EnrollmentTokenSecret =
                block_on(client.post("enrollment-tokens", &request))?;
            match create.output {
                Format::Json => json(process, &answer)?,
                Format::Table => {
                    write(
                        process,
                        &format!("{}\n", super::output::plain(&answer.token)),
                    )?;
                    let text = format!(
                        "{} use(s), until {}; enrol a host with: tyr daemon --server HOST:7700 --enroll TOKEN",
                        answer.about.uses_max, answer.about.expires_at
                    );
                    tell(process, &text);
                }
            }
        }
        Verb::List(list) => {
            let answer: EnrollmentTokenList = block_on(client.get("enrollment-tokens", &[]))?;
            match list.output {
                Format::Json => json(process, &answer)?,
                Format::Table => write(process, &table(&answer))?,
            }
        }
        Verb::Revoke(revoke) => revoke_token(process, &client, &revoke.id)?,
    }
    Ok(Exit::Ok)
}

fn revoke_token(process: &mut Process, client: &Client, id: &str) -> Result<(), Failure> {
    block_on(client.delete(&format!("enrollment-tokens/{}", path_segment(id))))?;
    tell(process, &format!("revoked {id}"));
    Ok(())
}

fn table(list: &EnrollmentTokenList) -> String {
    let mut table = Table::new(&[
        "ID",
        "STATE",
        "USES",
        "EXPIRES",
        "CREATED BY",
        "DESCRIPTION",
    ]);
    for token in &list.tokens {
        table.row([
            token.id.to_string(),
            state(token.state).to_owned(),
            format!("{}/{}", token.uses, token.uses_max),
            seconds(token.expires_at),
            token.created_by.clone(),
            token.description.clone(),
        ]);
    }
    table.text()
}

fn state(state: TokenState) -> &'static str {
    match state {
        TokenState::Valid => "valid",
        TokenState::UsedUp => "used up",
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
    }
}

/// A time without fractions of a second.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Seconds in `90s`, `15m`, `1h` or `7d`.
pub(super) fn duration_s(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a duration: expected a number and s, m, h or d, as in 15m");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
}
