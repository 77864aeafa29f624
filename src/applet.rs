//! Which role a call means: the name of the program, or the first argument.

use std::io::Write;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::process::Process;

/// The three names of the one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Tyr,
    Server,
    Daemon,
}

/// Runs the role that `process.args` ask for and tells how it ended. An error is printed here,
/// once.
pub fn run(mut process: Process) -> Exit {
    let outcome = match program_name(process.args.first().map_or("", String::as_str)) {
        Ok(Name::Tyr) => cli::run(&mut process),
        Ok(Name::Server) => cli::run_as(&mut process, "tyr-server", "server"),
        Ok(Name::Daemon) => cli::run_as(&mut process, "tyrd", "daemon"),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(process.stderr, "{failure}");
            failure.exit
        }
    }
}

/// Exact names only: a renamed copy would otherwise run a role nobody asked for.
fn program_name(called: &str) -> Result<Name, Failure> {
    match called.rsplit('/').next().unwrap_or("") {
        "tyr" => Ok(Name::Tyr),
        "tyr-server" => Ok(Name::Server),
        "tyrd" => Ok(Name::Daemon),
        other => Err(Failure::new(
            Exit::Usage,
            format!("this program does not know its role by the name `{other}`"),
        )
        .help("call it `tyr`, `tyr-server` or `tyrd`")),
    }
}

#[cfg(test)]
mod tests;
