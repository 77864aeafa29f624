//! `tyr policy disable|enable`: one rule of a policy off or on.

use argh::{ArgsInfo, FromArgs};

use crate::cli::client::{Client, path_segment};
use crate::cli::credentials::Credentials;
use crate::cli::output::{Format, json, plain};
use crate::cli::{Outcome, block_on, write};
use crate::exit::Exit;
use crate::process::Process;
use crate::wire::rest::{PolicyDocument, SwitchRequest};

/// Switch a rule off. This makes the next version of the policy; the rest of its text stays.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "disable")]
pub(super) struct Disable {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// name of the rule
    #[argh(positional)]
    rule: String,
    /// why; kept with the change
    #[argh(option, default = "String::new()", arg_name = "text")]
    reason: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Switch a rule on again. This makes the next version of the policy.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "enable")]
pub(super) struct Enable {
    /// name of the policy
    #[argh(positional)]
    name: String,
    /// name of the rule
    #[argh(positional)]
    rule: String,
    /// why; kept with the change
    #[argh(option, default = "String::new()", arg_name = "text")]
    reason: String,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

pub(super) fn disable(process: &mut Process, args: &Disable) -> Outcome {
    let request = SwitchRequest {
        rule: args.rule.clone(),
        enabled: false,
        reason: args.reason.clone(),
    };
    switch(process, &args.name, &request, args.output)
}

pub(super) fn enable(process: &mut Process, args: &Enable) -> Outcome {
    let request = SwitchRequest {
        rule: args.rule.clone(),
        enabled: true,
        reason: args.reason.clone(),
    };
    switch(process, &args.name, &request, args.output)
}

fn switch(process: &mut Process, name: &str, request: &SwitchRequest, output: Format) -> Outcome {
    let client = Client::new(&Credentials::load(process)?)?;
    let path = format!("policies/{}/switch", path_segment(name));
    let answer: PolicyDocument = block_on(client.post(&path, request))?;
    match output {
        Format::Json => json(process, &answer)?,
        Format::Table => {
            let state = if request.enabled { "on" } else { "off" };
            let text = format!(
                "rule {} is {state} in {}@{}\n",
                plain(&request.rule),
                plain(&answer.name),
                answer.version.version
            );
            write(process, &text)?;
        }
    }
    Ok(Exit::Ok)
}
