//! `tyr version`.

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use crate::exit::Exit;
use crate::process::Process;
use crate::version::VERSION;

use super::output::{Format, json};
use super::{Outcome, write};

/// Print the version.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "version")]
pub struct Args {
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

#[derive(Serialize)]
struct Answer {
    version: &'static str,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    match args.output {
        Format::Table => write(process, &format!("tyr {VERSION}\n"))?,
        Format::Json => json(process, &Answer { version: VERSION })?,
    }
    Ok(Exit::Ok)
}
