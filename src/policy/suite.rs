//! Test cases for policies: the file of `tyr policy test --cases`, and how cases are judged.

mod report;

use std::collections::BTreeMap;
use std::collections::HashSet;

use crate::model::action::Action;
use crate::model::verdict::Verdict;

use super::evaluate::{Fact, Principal, Request, evaluate};
use super::explain::decided_by;
use super::fields::{Fields, Findings};
use super::parse::{self, join};
use super::problem::Problem;
use super::question::{self, QuestionError};
use super::rule::Effective;
use super::tree::{Node, Value};

pub use report::{Run, TestArguments, load_suite, report, test_files};

/// Most cases in a file.
pub const CASES_MAX: usize = 20_000;
/// Longest name of a case, in characters.
pub const CASE_NAME_CHARS_MAX: usize = 256;

/// One case, ready to be asked of any engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    pub request: Request,
    pub expect: Verdict,
    /// The rule that must decide; `Some(None)`: no rule must; `None`: nobody looks.
    pub rule: Option<Option<String>>,
    /// 1-based line in the file.
    pub line: u32,
}

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    pub name: String,
    pub line: u32,
    /// `None`: as expected; else what was wrong.
    pub failure: Option<String>,
}

const REQUIRED_FIELDS: [&str; 6] = ["name", "agent_type", "exe", "action", "resource", "expect"];
/// Fields of a case: besides the required ones `at` and `rule`, and facts that conditions read. What
/// is not given is not known.
pub const FIELDS: [&str; 15] = [
    "name",
    "agent_type",
    "exe",
    "action",
    "resource",
    "at",
    "expect",
    "rule",
    "agent_id",
    "host",
    "host_labels",
    "user",
    "uid",
    "container",
    "interactive",
];

/// Reads a list of cases, or a mapping whose only field `cases` is one.
///
/// # Errors
/// Every problem of the file with its place; `source` is the name that they carry.
pub fn load_cases(source: &str, bytes: &[u8]) -> Result<Vec<Case>, Vec<Problem>> {
    let (documents, mut problems) = parse::parse(bytes);
    let mut findings = Findings::default();
    let mut cases = Vec::new();
    let mut names = HashSet::new();
    for document in &documents {
        let list = match &document.root.value {
            Value::Mapping(_) => findings
                .fields(&document.root, "", &["cases"], &[])
                .and_then(|fields| findings.required(&fields, "cases")),
            _ => Some((&document.root, String::new())),
        };
        let Some((node, path)) = list else { continue };
        for (node, path) in findings.list(node, &path, CASES_MAX, "write at least one case") {
            let Some(fields) = findings.fields(node, &path, &FIELDS, &[]) else {
                continue;
            };
            let Some(case) = read_case(&mut findings, &fields) else {
                continue;
            };
            if !names.insert(case.name.clone()) {
                let message = format!("case `{}` is in this file twice", case.name);
                findings.refuse(
                    node.place,
                    &path,
                    &message,
                    "give each case a name of its own",
                );
            }
            cases.push(case);
        }
    }
    problems.extend(findings.problems);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    for problem in &mut problems {
        problem.source = source.to_owned();
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(problems)
    }
}

fn read_case(findings: &mut Findings, fields: &Fields<'_>) -> Option<Case> {
    let required = REQUIRED_FIELDS.map(|name| findings.required(fields, name));
    let [name, agent_type, exe, action, resource, expect] = required;
    let name = name.and_then(|(node, path)| findings.name(node, &path, CASE_NAME_CHARS_MAX));
    let agent_type =
        agent_type.and_then(|(node, path)| findings.name(node, &path, CASE_NAME_CHARS_MAX));
    let exe = exe.and_then(|(node, path)| ask(findings, node, &path, question::path));
    let action: Option<Action> =
        action.and_then(|(node, path)| findings.word(node, &path, &Action::ALL.map(Action::name)));
    let resource = resource.and_then(|(node, path)| {
        let action = action?;
        ask(findings, node, &path, |text| {
            question::resource(action, text)
        })
    });
    let verdicts = [Verdict::Allow, Verdict::Deny, Verdict::Alert].map(Verdict::name);
    let expect = expect.and_then(|(node, path)| findings.word(node, &path, &verdicts));
    let at = fields
        .optional("at")
        .map(|(node, path)| ask(findings, node, &path, question::moment));
    let rule = fields
        .optional("rule")
        .map(|(node, path)| match node.value {
            Value::Null => Some(None),
            _ => findings
                .text(node, &path)
                .map(|text| Some(text.value.clone())),
        });
    let mut principal = Principal::of_type(&agent_type?);
    principal.exe = Fact::Known(exe?);
    read_facts(findings, fields, &mut principal);
    let moment = at.map_or(Some(None), |at| at.map(Some))?;
    Some(Case {
        name: name?,
        request: Request {
            principal,
            action: action?,
            resource: resource?,
            moment,
        },
        expect: expect?,
        rule: rule.map_or(Some(None), |rule| rule.map(Some))?,
        line: fields.place.line,
    })
}

/// A string that is read as part of a question.
fn ask<T>(
    findings: &mut Findings,
    node: &Node,
    path: &str,
    read: impl FnOnce(&str) -> Result<T, QuestionError>,
) -> Option<T> {
    let text = findings.text(node, path)?;
    read(&text.value)
        .map_err(|error| findings.refuse(node.place, path, &error.message, error.help))
        .ok()
}

fn read_facts(findings: &mut Findings, fields: &Fields<'_>, principal: &mut Principal) {
    let mut text = |name: &str| -> Fact<String> {
        let found = fields.optional(name);
        let found = found.and_then(|(node, path)| findings.text(node, &path));
        found.map_or(Fact::Unknown, |text| Fact::Known(text.value.clone()))
    };
    principal.agent_id = text("agent_id");
    principal.host = text("host");
    principal.user = text("user");
    principal.container = text("container");
    if let Some((node, path)) = fields.optional("uid") {
        match &node.value {
            Value::Number(number) if number.parse::<u32>().is_ok() => {
                principal.uid = number.parse().map_or(Fact::Unknown, Fact::Known);
            }
            _ => {
                let message = format!("expected a user number, found {}", node.describe());
                findings.refuse(node.place, &path, &message, "");
            }
        }
    }
    if let Some((node, path)) = fields.optional("interactive") {
        match &node.value {
            Value::Bool(value) => principal.interactive = Fact::Known(*value),
            _ => {
                let message = format!("expected true or false, found {}", node.describe());
                findings.refuse(node.place, &path, &message, "");
            }
        }
    }
    if let Some((node, path)) = fields.optional("host_labels") {
        principal.host_labels = read_labels(findings, node, &path);
    }
}

fn read_labels(findings: &mut Findings, node: &Node, path: &str) -> Fact<BTreeMap<String, String>> {
    let Value::Mapping(entries) = &node.value else {
        findings.fields(node, path, &[], &[]);
        return Fact::Unknown;
    };
    let mut labels = BTreeMap::new();
    for entry in entries {
        if let Some(text) = findings.text(&entry.node, &join(path, &entry.key)) {
            labels.insert(entry.key.clone(), text.value.clone());
        }
    }
    Fact::Known(labels)
}

/// Asks the evaluator.
pub fn run_evaluator(policies: &[Effective], cases: &[Case]) -> Vec<CaseResult> {
    cases
        .iter()
        .map(|case| {
            let decision = evaluate(policies, &case.request);
            let rule = decided_by(policies, &decision).map(|(_, rule)| rule.name.as_str());
            judge(case, decision.verdict, Some(rule))
        })
        .collect()
}

/// Compares an engine's answer with what the case expects. `rule` is the one that decided,
/// `Some(None)` for no rule, `None` when the engine cannot tell, as the kernel cannot.
pub fn judge(case: &Case, verdict: Verdict, rule: Option<Option<&str>>) -> CaseResult {
    let named =
        |rule: Option<&str>| rule.map_or("no rule".to_owned(), |rule| format!("rule `{rule}`"));
    let decided = rule
        .map(|rule| format!(" by {}", named(rule)))
        .unwrap_or_default();
    let failure = if verdict != case.expect {
        Some(format!("expected {}, got {verdict}{decided}", case.expect))
    } else {
        match (&case.rule, rule) {
            (Some(expected), Some(rule)) if expected.as_deref() != rule => {
                let expected = named(expected.as_deref());
                Some(format!(
                    "expected {} by {expected}, got {verdict}{decided}",
                    case.expect
                ))
            }
            _ => None,
        }
    };
    CaseResult {
        name: case.name.clone(),
        line: case.line,
        failure,
    }
}

#[cfg(test)]
mod tests;
