//! `tyr install` and `tyr uninstall`.

use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use crate::exit::{Exit, Failure, chain};
use crate::install::layout::Layout;
use crate::install::manifest::Role;
use crate::install::record::Record;
use crate::install::step::{Action, Step};
use crate::install::{Error, Target, put, systemd, take};
use crate::process::Process;

use super::output::{Format, Table, json, plain};
use super::{Outcome, tell, write};

/// Install Tyr from this one executable.
///
/// Lays out the executable, its links, units, users, folders and configuration. A second run
/// changes nothing; one with a newer executable upgrades, and what enforces goes on meanwhile.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "install")]
pub struct Args {
    /// where to; default /usr/local
    #[argh(option, default = "PathBuf::from(PREFIX)", arg_name = "folder")]
    prefix: PathBuf,
    /// what the host is for: cli, server, daemon or all (default); may be given several times
    #[argh(option)]
    role: Vec<String>,
    /// write only the files, below this folder, as packages contain them: those of the roles named
    /// and no others, no users, no units started
    #[argh(option, arg_name = "folder")]
    root: Option<PathBuf>,
    /// enable and start the units, or restart those that run; needs systemd
    #[argh(switch)]
    now: bool,
    /// say what would be done, and do nothing
    #[argh(switch)]
    dry_run: bool,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Take back what `tyr install` laid out, and enforcement off this host.
///
/// Configuration that was edited stays, and so do keys, policies, events and the database.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "uninstall")]
pub struct UninstallArgs {
    /// remove these too, and the user
    #[argh(switch)]
    purge: bool,
    /// say what would be done, and do nothing
    #[argh(switch)]
    dry_run: bool,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

const PREFIX: &str = "/usr/local";

#[derive(Serialize)]
struct Answer<'a> {
    prefix: &'a Path,
    dry_run: bool,
    steps: Vec<&'a Step>,
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let roles = roles(&args.role)?;
    let layout = Layout::new(&args.prefix).map_err(|error| failure(&error))?;
    let executable = put::executable().map_err(|error| failure(&error))?;
    let is_host = args.root.is_none();
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let target = Target::new(root, layout);
    let plan = if is_host {
        let mut plan = put::host(&target, &roles, &executable).map_err(|error| failure(&error))?;
        if args.now {
            may_start(args.dry_run)?;
            plan.start_units(&roles);
        }
        plan
    } else if args.now {
        return Err(Failure::new(
            Exit::Usage,
            "--now and --root exclude one another",
        ));
    } else {
        put::stage(&target, &roles, &executable).map_err(|error| failure(&error))?
    };
    if !args.dry_run {
        if is_host {
            need_root("install")?;
        }
        plan.perform(&target).map_err(|error| failure(&error))?;
    }
    let prefix = target.layout.prefix();
    print(process, args.output, prefix, args.dry_run, plan.steps())?;
    if is_host && !args.now && !args.dry_run {
        next(process, &roles);
    }
    Ok(Exit::Ok)
}

pub fn uninstall(process: &mut Process, args: &UninstallArgs) -> Outcome {
    let usual = Layout::new(Path::new(PREFIX)).map_err(|error| failure(&error))?;
    let record = Record::read(&Target::new("/", usual.clone())).map_err(|error| failure(&error))?;
    let layout = match &record {
        Some(record) => Layout::new(&record.prefix).map_err(|error| failure(&error))?,
        None => usual,
    };
    let target = Target::new("/", layout);
    let plan = take::plan(&target, record.as_ref(), args.purge).map_err(|error| failure(&error))?;
    if !args.dry_run && plan.steps().any(Step::changes) {
        need_root("uninstall")?;
        plan.perform(&target).map_err(|error| failure(&error))?;
    }
    let prefix = target.layout.prefix();
    print(process, args.output, prefix, args.dry_run, plan.steps())?;
    if record.is_none() {
        tell(process, "`tyr install` has laid out nothing on this host");
    }
    Ok(Exit::Ok)
}

fn roles(names: &[String]) -> Result<Vec<Role>, Failure> {
    if names.is_empty() || names.iter().any(|name| name == "all") {
        return Ok(Role::ALL.to_vec());
    }
    let mut roles = Vec::new();
    for name in names {
        let role = name
            .parse()
            .map_err(|error: String| Failure::new(Exit::Usage, error))?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}

fn need_root(verb: &str) -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NoPermission,
        format!("only root may {verb} Tyr on this host"),
    )
    .help("run it with sudo; --dry-run needs no right"))
}

fn may_start(dry_run: bool) -> Result<(), Failure> {
    if dry_run || systemd::runs() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unavailable,
        "--now needs systemd, which does not run here",
    )
    .help("install without it, then start `tyrd` and `tyr-server` as this system does"))
}

fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Exit::NoPermission
        }
        Error::Io { .. } => Exit::Io,
        Error::Prefix { .. } => Exit::Usage,
        Error::Foreign { .. } | Error::Packaged { .. } | Error::Elsewhere { .. } => Exit::Failure,
        Error::Record { .. } => Exit::Data,
        Error::AccountsLocked { .. } => Exit::Unavailable,
        Error::NoFreeNumber { .. } | Error::NoAccount { .. } | Error::Command { .. } => Exit::Os,
    };
    let read_only = matches!(error, Error::Io { source, .. }
        if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem);
    let failure = Failure::new(exit, chain(error));
    if read_only {
        return failure.help("choose another --prefix, or make the file system writable");
    }
    failure
}

fn print<'a>(
    process: &mut Process,
    format: Format,
    prefix: &'a Path,
    dry_run: bool,
    steps: impl Iterator<Item = &'a Step>,
) -> Result<(), Failure> {
    let steps: Vec<&Step> = steps.collect();
    if format == Format::Json {
        return json(
            process,
            &Answer {
                prefix,
                dry_run,
                steps,
            },
        );
    }
    let same = steps
        .iter()
        .filter(|step| step.action == Action::Unchanged)
        .count();
    let mut table = Table::new(&[if dry_run { "WOULD" } else { "DONE" }, "WHAT", "NOTE"]);
    for step in steps.iter().filter(|step| step.action != Action::Unchanged) {
        let cells = [step.action.name(), &step.what, step.note];
        table.row(cells.map(plain));
    }
    if same < steps.len() {
        write(process, &table.text())?;
    }
    match (steps.len(), same) {
        (0, _) => write(process, "nothing to do\n"),
        (_, 0) => Ok(()),
        (_, same) => write(process, &format!("{same} unchanged\n")),
    }
}

/// What to do next.
fn next(process: &mut Process, roles: &[Role]) {
    let units: Vec<&str> = roles.iter().filter_map(|role| role.unit()).collect();
    if units.is_empty() {
        return;
    }
    let units = units.join(" ");
    tell(
        process,
        &format!(
            "no unit was started or restarted; when the files in /etc/tyr say what they should:\n  \
             systemctl enable {units} && systemctl restart {units}"
        ),
    );
}
