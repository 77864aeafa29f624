//! `tyr policy test`: the files it reads and what it prints.

use serde_json::json;

use crate::policy::answer::{Answer, EXIT_DATA, EXIT_FAILED, EXIT_OK, File};
use crate::policy::check::load_all;
use crate::policy::explain::{all_enforced, resolve_request};
use crate::policy::load::LoadOptions;
use crate::policy::problem::Problem;
use crate::policy::rule::{Effective, Policy};
use crate::policy::symlink::{self, Resolver};

use super::{Case, CaseResult, load_cases, run_evaluator};

/// The arguments of `tyr policy test`.
#[derive(Clone, Copy, Debug)]
pub struct TestArguments<'a> {
    pub files: &'a [File],
    pub cases: &'a File,
}

/// The results of one engine.
#[derive(Clone, Debug)]
pub struct Run {
    /// `evaluator` or `kernel`.
    pub engine: &'static str,
    pub results: Vec<CaseResult>,
}

/// The policies and cases of `arguments`, with paths as the kernel would see them.
///
/// # Errors
/// The problems of all files, as `report_problems` prints them, with exit code 65.
pub fn load_suite(
    arguments: &TestArguments<'_>,
    options: &LoadOptions<'_>,
    resolver: Option<Resolver<'_>>,
) -> Result<(Vec<Effective>, Vec<Case>), Answer> {
    let (policies, mut problems) = load_all(arguments.files, options);
    problems.retain(|problem| !problem.warning);
    let mut cases = match load_cases(&arguments.cases.name, &arguments.cases.bytes) {
        Ok(cases) => cases,
        Err(found) => {
            problems.extend(found);
            Vec::new()
        }
    };
    if !problems.is_empty() {
        return Err(report_problems(&problems));
    }
    let mut policies: Vec<Policy> = policies.into_iter().map(|(_, policy)| policy).collect();
    if let Some(resolver) = resolver {
        for policy in &mut policies {
            symlink::resolve_symlinks(policy, resolver);
        }
        for case in &mut cases {
            resolve_request(&mut case.request, resolver);
        }
    }
    Ok((all_enforced(policies), cases))
}

fn report_problems(problems: &[Problem]) -> Answer {
    let text = problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    Answer {
        text,
        json: json!({ "problems": problems }),
        exit_code: EXIT_DATA,
    }
}

/// What is printed for the runs of all engines: failures, then `N passed, N failed`. Exit code 1
/// when a case failed.
///
/// JSON: `{"passed", "failed", "failures": [{"engine", "name", "line", "failure"}]}`.
pub fn report(cases_file: &str, runs: &[Run]) -> Answer {
    let mut text = String::new();
    let mut failures = Vec::new();
    let mut total = 0;
    for run in runs {
        total += run.results.len();
        for result in &run.results {
            let Some(failure) = &result.failure else {
                continue;
            };
            let (engine, name, line) = (run.engine, &result.name, result.line);
            text.push_str(&format!(
                "{cases_file}:{line}: {name}: {engine}: {failure}\n"
            ));
            failures
                .push(json!({ "engine": engine, "name": name, "line": line, "failure": failure }));
        }
    }
    let failed = failures.len();
    let passed = total - failed;
    text.push_str(&format!("{passed} passed, {failed} failed\n"));
    let exit_code = if failed == 0 { EXIT_OK } else { EXIT_FAILED };
    let json = json!({ "passed": passed, "failed": failed, "failures": failures });
    Answer {
        text,
        json,
        exit_code,
    }
}

/// `tyr policy test` with the evaluator alone.
pub fn test_files(
    arguments: &TestArguments<'_>,
    options: &LoadOptions<'_>,
    resolver: Option<Resolver<'_>>,
) -> Answer {
    match load_suite(arguments, options, resolver) {
        Ok((policies, cases)) => {
            let results = run_evaluator(&policies, &cases);
            report(
                &arguments.cases.name,
                &[Run {
                    engine: "evaluator",
                    results,
                }],
            )
        }
        Err(answer) => answer,
    }
}
