//! `tyr doctor`: what this kernel can enforce.

use argh::{ArgsInfo, FromArgs};

use crate::exit::Exit;
use crate::kernel::doctor;
use crate::process::Process;

use super::output::{Format, json, plain_lines};
use super::{Outcome, write};

/// Tell what this kernel can enforce, and prove it. Exit 1 when it cannot hold agents to policies.
///
/// As root it loads the kernel programs and lets a throw-away child be refused an open, an exec
/// and a connect. Nothing else on the machine is touched.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "doctor")]
pub struct Args {
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let report = doctor::report();
    match args.output {
        Format::Json => json(process, &report)?,
        Format::Table => write(process, &plain_lines(&report.to_string()))?,
    }
    Ok(if report.can_enforce() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}
