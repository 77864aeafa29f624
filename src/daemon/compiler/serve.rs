//! The compiler's own side.

use std::fs;
use std::io::{BufWriter, Read, Write};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs};

use super::request::Request;
use super::{MEMORY_MAX_BYTES, TIME_MAX_SECONDS, answer};
use crate::exit::{Exit, Failure};
use crate::policy::compile::compile;
use crate::process::Process;

/// Compiles what standard input holds, to standard output, and ends.
///
/// # Errors
/// The input is not what a daemon of this build writes, or nobody reads the answer.
pub fn serve(process: &mut Process) -> Result<Exit, Failure> {
    for refused in give_up_rights() {
        // Only the log can be told, and it may be closed.
        let _ = writeln!(
            process.stderr,
            "the policy compiler is less confined: {refused}"
        );
    }
    let mut bytes = Vec::new();
    let failed = |what: &str, error: &dyn std::error::Error| {
        Failure::new(Exit::Data, format!("policy compiler: {what}: {error}"))
            .help("the daemon runs it; it is no command")
    };
    process
        .stdin
        .read_to_end(&mut bytes)
        .map_err(|error| failed("cannot read its input", &error))?;
    let request: Request =
        postcard::from_bytes(&bytes).map_err(|error| failed("its input is none", &error))?;
    drop(bytes);
    let outcome = compile(&request.input());
    drop(request);
    answer::write(&mut BufWriter::new(&mut process.stdout), outcome)
        .map_err(|error| failed("cannot write its answer", &error))?;
    Ok(Exit::Ok)
}

/// It computes and needs no right, and it is the first to go when memory is short. Its user stays
/// the daemon's: others could send it signals. Returns what was refused, one sentence each.
fn give_up_rights() -> Vec<String> {
    let limit = |resource, most: u64| {
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
    };
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    let steps = [
        ("RLIMIT_DATA", limit(Resource::Data, MEMORY_MAX_BYTES)),
        ("RLIMIT_CPU", limit(Resource::Cpu, TIME_MAX_SECONDS)),
        // The kernel names it `exe`, after the link that it was started by.
        ("name", set_name(c"tyr-compiler")),
        ("no new privileges", set_no_new_privs(true)),
        ("capabilities", set_capabilities(None, none)),
    ];
    let mut refused: Vec<String> = steps
        .into_iter()
        .filter_map(|(what, result)| result.err().map(|error| format!("{what}: {error}")))
        .collect();
    if let Err(error) = fs::write("/proc/self/oom_score_adj", "1000") {
        refused.push(format!("oom_score_adj: {error}"));
    }
    refused
}
