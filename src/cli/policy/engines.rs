//! Who answers the cases of `tyr policy test`.

use std::str::FromStr;

use crate::exit::{Exit, Failure};
use crate::kernel::decide::decide_requests;
use crate::policy::evaluate::Request;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;
use crate::policy::suite::{Case, CaseResult, Run, judge, run_evaluator};

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

/// The results of the chosen engines, and how many cases are about an action that the kernel
/// programs do not decide; those are only the evaluator's to answer.
///
/// # Errors
///
/// The kernel's programs cannot be loaded.
pub(super) fn runs(
    engine: Engine,
    policies: &[Effective],
    cases: &[Case],
    signatures: &Signatures,
) -> Result<(Vec<Run>, usize), Failure> {
    let mut runs = Vec::new();
    if engine != Engine::Kernel {
        let results = run_evaluator(policies, cases);
        runs.push(Run {
            engine: "evaluator",
            results,
        });
    }
    if engine == Engine::Evaluator {
        return Ok((runs, 0));
    }
    let results = run_kernel(policies, cases, signatures)?;
    let undecided = cases.len() - results.len();
    runs.push(Run {
        engine: "kernel",
        results,
    });
    Ok((runs, undecided))
}

/// Asks the kernel program. It gives a verdict and no rule.
fn run_kernel(
    policies: &[Effective],
    cases: &[Case],
    signatures: &Signatures,
) -> Result<Vec<CaseResult>, Failure> {
    let requests: Vec<Request> = cases.iter().map(|case| case.request.clone()).collect();
    let cells = decide_requests(policies, signatures, &requests).map_err(|error| {
        Failure::caused(Exit::Os, "cannot ask the kernel program", &error)
            .help("run as root, or use --engine evaluator")
    })?;
    let asked = cases.iter().zip(cells);
    Ok(asked
        .filter_map(|(case, cell)| Some(judge(case, cell?.verdict, None)))
        .collect())
}
