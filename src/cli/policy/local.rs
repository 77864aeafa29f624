//! `tyr policy check|explain|test`: work on files, with no server.

use std::io::Read;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use jiff::Zoned;

use crate::cli::output::{Format, json, plain_lines};
use crate::cli::{Outcome, tell, write};
use crate::exit::{Exit, Failure};
use crate::policy::LoadOptions;
use crate::policy::answer::{self, Answer, File};
use crate::policy::check::check as check_files;
use crate::policy::explain::{ExplainArguments, HostFeatures, explain_files};
use crate::policy::parse::FILE_BYTES_MAX;
use crate::policy::signatures::Signatures;
use crate::policy::suite::{TestArguments, load_suite, report};
use crate::process::Process;

use super::engines::{Engine, runs};

/// Check policy files. Needs no server; exit 65 with all problems when one is not valid.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "check")]
pub(super) struct Check {
    /// files with policies; - is standard input
    #[argh(positional, arg_name = "FILE")]
    files: Vec<String>,
    /// file with signatures of your own agents; may be given several times
    #[argh(option, arg_name = "file")]
    signatures: Vec<PathBuf>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Tell what a policy says about one operation, and where that is enforced. Needs no server.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "explain")]
pub(super) struct Explain {
    /// file with policies; may be given several times
    #[argh(option, short = 'f', arg_name = "file")]
    file: Vec<String>,
    /// type of the agent, such as claude-code
    #[argh(option, arg_name = "type")]
    agent_type: String,
    /// path of the executable that acts
    #[argh(option, arg_name = "path")]
    exe: String,
    /// file_read, file_write, exec, net_connect or tls_connect
    #[argh(option)]
    action: String,
    /// path, IP:PORT/PROTOCOL, or server name
    #[argh(option)]
    resource: String,
    /// at this time, RFC 3339; default now
    #[argh(option, arg_name = "time")]
    at: Option<String>,
    /// file with signatures of your own agents; may be given several times
    #[argh(option, arg_name = "file")]
    signatures: Vec<PathBuf>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

/// Run test cases against policies. Needs no server; exit 1 when one fails.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "test")]
pub(super) struct Test {
    /// file with policies; may be given several times
    #[argh(option, short = 'f', arg_name = "file")]
    file: Vec<String>,
    /// file with test cases
    #[argh(option, arg_name = "file")]
    cases: String,
    /// who answers: evaluator, kernel (needs root) or both; default evaluator
    #[argh(option, default = "Engine::Evaluator")]
    engine: Engine,
    /// file with signatures of your own agents; may be given several times
    #[argh(option, arg_name = "file")]
    signatures: Vec<PathBuf>,
    /// table or json
    #[argh(option, default = "Format::Table", arg_name = "format")]
    output: Format,
}

pub(super) fn check(process: &mut Process, args: &Check) -> Outcome {
    let files = files(process, &args.files)?;
    let ids = ids(&args.signatures)?;
    print(
        process,
        &check_files(
            &files,
            &LoadOptions {
                agent_types: Some(&ids),
            },
        ),
        args.output,
    )
}

pub(super) fn explain(process: &mut Process, args: &Explain) -> Outcome {
    let files = files(process, &args.file)?;
    let ids = ids(&args.signatures)?;
    let now = Zoned::now();
    let arguments = ExplainArguments {
        files: &files,
        agent_type: &args.agent_type,
        exe: &args.exe,
        action: &args.action,
        resource: &args.resource,
        at: args.at.as_deref(),
        now: &now,
        features: HostFeatures::default(),
    };
    let options = LoadOptions {
        agent_types: Some(&ids),
    };
    print(
        process,
        &explain_files(&arguments, &options, Some(&real_path)),
        args.output,
    )
}

pub(super) fn test(process: &mut Process, args: &Test) -> Outcome {
    let files = files(process, &args.file)?;
    let cases = file(process, &args.cases)?;
    let signatures = signatures(&args.signatures)?;
    let ids: Vec<String> = signatures.ids().map(str::to_owned).collect();
    let arguments = TestArguments {
        files: &files,
        cases: &cases,
    };
    let options = LoadOptions {
        agent_types: Some(&ids),
    };
    let answer = match load_suite(&arguments, &options, Some(&real_path)) {
        Ok((policies, suite)) => {
            let (runs, undecided) = runs(args.engine, &policies, &suite, &signatures)?;
            if undecided > 0 {
                tell(
                    process,
                    &format!("{undecided} case(s) about tls_connect: no kernel program decides it"),
                );
            }
            report(&cases.name, &runs)
        }
        Err(answer) => answer,
    };
    print(process, &answer, args.output)
}

fn real_path(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

fn print(process: &mut Process, answer: &Answer, format: Format) -> Outcome {
    match format {
        Format::Json => json(process, &answer.json)?,
        Format::Table => write(process, &plain_lines(&answer.text))?,
    }
    Ok(match answer.exit_code {
        answer::EXIT_OK => Exit::Ok,
        answer::EXIT_FAILED => Exit::Failure,
        answer::EXIT_USAGE => Exit::Usage,
        _ => Exit::Data,
    })
}

fn files(process: &mut Process, names: &[String]) -> Result<Vec<File>, Failure> {
    if names.is_empty() {
        return Err(Failure::new(Exit::Usage, "no policy file was given")
            .help("name one or more files, or - for standard input"));
    }
    names.iter().map(|name| file(process, name)).collect()
}

/// A file, read to one byte past the bound: the loader then says that it is too long.
fn file(process: &mut Process, name: &str) -> Result<File, Failure> {
    let bytes_max = FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let read = if name == "-" {
        (&mut process.stdin).take(bytes_max).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(bytes_max).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::caused(Exit::NoInput, format!("cannot read {name}"), &error))?;
    Ok(File {
        name: name.to_owned(),
        bytes,
    })
}

fn ids(files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    Ok(signatures(files)?.ids().map(str::to_owned).collect())
}

fn signatures(files: &[PathBuf]) -> Result<Signatures, Failure> {
    let mut texts = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::caused(
                Exit::NoInput,
                format!("cannot read {}", path.display()),
                &error,
            )
        })?;
        texts.push((path.display().to_string(), text));
    }
    Signatures::with_files(&texts).map_err(|error| Failure::new(Exit::Data, error.to_string()))
}
