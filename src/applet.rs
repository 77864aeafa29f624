//! Which role a call means: the name of the program, or the first argument.

use std::io::Write;

use argh::{ArgsInfo, EarlyExit, FromArgs};

use crate::exit::{self, Exit, Failure};
use crate::process::Process;
use crate::{cli, daemon, kernel, log, server};

/// Names the role of a call without a command.
const ROLE: &str = "TYR_ROLE";
const ROLES: [&str; 2] = ["server", "daemon"];

/// Governs AI agents on Linux hosts: finds them, decides in the kernel what they may touch, and
/// keeps the audit of it on a server.
#[derive(ArgsInfo, FromArgs, Debug)]
struct Tyr {
    #[argh(subcommand)]
    command: Command,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Command {
    Server(server::config::Options),
    Daemon(daemon::config::Args),
    Doctor(cli::doctor::Args),
    Login(cli::login::Args),
    Hosts(cli::hosts::Args),
    Agents(cli::agents::Args),
    Policy(cli::policy::Args),
    BreakGlass(cli::break_glass::Args),
    Audit(cli::audit::Args),
    EnrollmentToken(cli::enrollment_token::Args),
    Completion(cli::completion::Args),
    Install(cli::install::Args),
    Uninstall(cli::install::UninstallArgs),
    Version(cli::version::Args),
}

/// Every name that Tyr can be called by, with the arguments it takes then.
pub fn programs() -> [cli::completion::Program; 3] {
    [
        ("tyr", Tyr::get_args_info()),
        ("tyr-server", server::config::Options::get_args_info()),
        ("tyrd", daemon::config::Args::get_args_info()),
    ]
}

/// Runs the role that `process.args` ask for and tells how it ended. An error is printed here,
/// once.
pub fn run(mut process: Process) -> Exit {
    match start(&mut process) {
        Ok(exit) => exit,
        // Standard output was closed by its reader: nothing is left to say.
        Err(failure) if failure.exit == Exit::Ok => Exit::Ok,
        Err(failure) => {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(process.stderr, "{failure}");
            failure.exit
        }
    }
}

/// Exact names only: a renamed copy would otherwise run a role nobody asked for. The file of a
/// release, `tyr-0.1.0-x86_64-linux`, is `tyr`.
fn start(process: &mut Process) -> Result<Exit, Failure> {
    let mut args = cli::args::prepare(process.args.get(1..).unwrap_or_default());
    let called = process.args.first().map_or("", String::as_str);
    match called.rsplit('/').next().unwrap_or("") {
        name if name == "tyr" || is_download(name) => {
            args.splice(0..0, role_of_environment(process, &args)?);
            match parse::<Tyr>(process, "tyr", &args)? {
                Some(tyr) => command(process, &tyr.command),
                None => Ok(Exit::Ok),
            }
        }
        "tyr-server" => match parse(process, "tyr-server", &args)? {
            Some(options) => run_server(process, &options),
            None => Ok(Exit::Ok),
        },
        "tyrd" => match parse(process, "tyrd", &args)? {
            Some(args) => {
                enter_host(process)?;
                daemon::role::run(process, &args)
            }
            None => Ok(Exit::Ok),
        },
        daemon::compiler::NAME => daemon::compiler::serve(process),
        other => Err(Failure::new(
            Exit::Usage,
            format!("this program does not know its role by the name `{other}`"),
        )
        .help("call it `tyr`, `tyr-server` or `tyrd`")),
    }
}

/// `tyr-` and a version, which begins with a digit.
fn is_download(name: &str) -> bool {
    name.strip_prefix("tyr-")
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// The command that `TYR_ROLE` stands for, when the arguments begin with none. It lets a container
/// have its role from outside; a command that is written out goes before.
fn role_of_environment(process: &Process, args: &[String]) -> Result<Option<String>, Failure> {
    if args.first().is_some_and(|first| !first.starts_with('-')) {
        return Ok(None);
    }
    match process.var(ROLE) {
        None => Ok(None),
        Some(role) if ROLES.contains(&role) => Ok(Some(role.to_owned())),
        Some(other) => Err(Failure::new(
            Exit::Usage,
            format!("{ROLE} is `{other}`, which is no role"),
        )
        .help("set it to server or daemon, or leave it out and name a command")),
    }
}

fn command(process: &mut Process, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Server(options) => run_server(process, options),
        Command::Daemon(args) => {
            enter_host(process)?;
            daemon::role::run(process, args)
        }
        Command::Doctor(args) => {
            enter_host(process)?;
            cli::doctor::run(process, args)
        }
        Command::Login(args) => cli::login::run(process, args),
        Command::Hosts(args) => cli::hosts::run(process, args),
        Command::Agents(args) => cli::agents::run(process, args),
        Command::Policy(args) => cli::policy::run(process, args),
        Command::BreakGlass(args) => cli::break_glass::run(process, args),
        Command::Audit(args) => cli::audit::run(process, args),
        Command::EnrollmentToken(args) => cli::enrollment_token::run(process, args),
        Command::Completion(args) => cli::completion::run(process, args, &programs()),
        Command::Install(args) => cli::install::run(process, args),
        Command::Uninstall(args) => cli::install::uninstall(process, args),
        Command::Version(args) => cli::version::run(process, args),
    }
}

/// What the image of a container sets: the host is then elsewhere.
const CONTAINER: &str = "TYR_CONTAINER";

/// Before a role that governs the host looks at any file of it.
fn enter_host(process: &Process) -> Result<(), Failure> {
    match process.var(CONTAINER) {
        None => Ok(()),
        Some(_) => kernel::host::enter()
            .map_err(|error| Failure::new(Exit::NoPermission, exit::chain(&error))),
    }
}

/// `tyr server` as a process.
fn run_server(process: &Process, options: &server::config::Options) -> Result<Exit, Failure> {
    log::start(log::Format::Text, process.var("TYR_LOG").unwrap_or("info"));
    let config = server::config::Config::load(options)
        .map_err(|error| Failure::new(Exit::Config, exit::chain(&error)))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::caused(Exit::Os, "cannot start the runtime", &error))?;
    runtime.block_on(server::run(config)).map_err(|error| {
        let exit = match &error {
            server::ServerError::Config(_) => Exit::Config,
            server::ServerError::Db(_) | server::ServerError::Listen { .. } => Exit::Unavailable,
            _ => Exit::Software,
        };
        Failure::new(exit, exit::chain(&error))
    })?;
    Ok(Exit::Ok)
}

/// The arguments of a role; `None` when help was asked for and printed.
fn parse<T: FromArgs>(
    process: &mut Process,
    name: &str,
    args: &[String],
) -> Result<Option<T>, Failure> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match T::from_args(&[name], &args) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(EarlyExit {
            output,
            status: Ok(()),
        }) => {
            cli::write(process, &output)?;
            Ok(None)
        }
        Err(EarlyExit {
            output,
            status: Err(()),
        }) => {
            let message = output.trim_end();
            let unknown = message
                .strip_prefix("Unrecognized argument: ")
                .unwrap_or("");
            let words = args.iter().copied();
            let words = words.take_while(|word| !word.starts_with('-') && *word != unknown);
            let command = std::iter::once(name)
                .chain(words)
                .collect::<Vec<&str>>()
                .join(" ");
            Err(Failure::new(Exit::Usage, lower_first(message))
                .help(format!("`{command} --help` shows what it takes")))
        }
    }
}

/// Messages of Tyr begin in lower case.
fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
