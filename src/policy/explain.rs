//! `tyr policy explain`: the verdict, the rule that gave it, and where that rule is enforced.

use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use serde_json::{Value, json};

use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::model::verdict::{Mode, Severity, Verdict};

use super::agent_types;
use super::answer::{Answer, EXIT_DATA, EXIT_OK, EXIT_USAGE, File};
use super::check::load_all;
use super::evaluate::{Decision, Fact, Moment, Principal, Request, evaluate};
use super::load::LoadOptions;
use super::own;
use super::question;
use super::rule::{Effective, Policy, Rule};
use super::symlink::{self, Resolver};

/// What a host can enforce besides files, programs and connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostFeatures {
    /// The daemon runs with `--tls-capture`.
    pub tls_capture: bool,
}

/// Where a rule is enforced. Its text is the `enforced` of `explain --output json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the kernel's tables alone; a condition on the resource is folded into them.
    Kernel,
    /// In the kernel; user space evaluates the condition when the agent starts and puts the
    /// answer there.
    AtStart,
    /// As `AtStart`, and again whenever an hour of the host's clock begins.
    AtStartAndClock,
    /// Not on this host, with the reason.
    NotEnforced(&'static str),
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placement::Kernel => f.write_str("kernel"),
            Placement::AtStart => f.write_str("user-space at start"),
            Placement::AtStartAndClock => f.write_str("user-space at start and clock"),
            Placement::NotEnforced(reason) => write!(f, "not enforced: {reason}"),
        }
    }
}

impl Placement {
    /// The same for people.
    fn describe(self) -> String {
        match self {
            Placement::Kernel => "in the kernel".to_owned(),
            Placement::AtStart => {
                "in the kernel; the condition is evaluated when the agent starts".to_owned()
            }
            Placement::AtStartAndClock => {
                "in the kernel; the condition is evaluated when the agent starts and when an hour \
                 of the host's clock begins"
                    .to_owned()
            }
            Placement::NotEnforced(reason) => format!("not on this host: {reason}"),
        }
    }
}

/// Where `rule` of a policy in enforce mode is enforced on a host with `features`.
pub fn placement(rule: &Rule, features: HostFeatures) -> Placement {
    if rule.action == Action::TlsConnect && !features.tls_capture {
        return Placement::NotEnforced("tls_connect needs --tls-capture");
    }
    let Some(condition) = &rule.condition else {
        return Placement::Kernel;
    };
    let needs = condition.needs();
    if needs.time() {
        Placement::AtStartAndClock
    } else if needs.session() {
        Placement::AtStart
    } else {
        Placement::Kernel
    }
}

/// What of `policies` a host with `features` does not enforce, for people: one line for each
/// policy and reason.
pub fn limits(policies: &[Effective], features: HostFeatures) -> Vec<String> {
    let mut lines = Vec::new();
    for effective in policies {
        let policy = &effective.policy;
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for rule in &policy.rules {
            let Placement::NotEnforced(reason) = placement(rule, features) else {
                continue;
            };
            match counts.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((reason, 1)),
            }
        }
        for (reason, count) in counts {
            let rules = if count == 1 {
                "1 rule is"
            } else {
                &format!("{count} rules are")
            };
            lines.push(format!(
                "policy `{}`: {rules} not enforced: {reason}",
                policy.name
            ));
        }
    }
    lines
}

/// One answer, with names instead of indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub verdict: Verdict,
    /// `None` in all of the following: no rule matches, which allows.
    pub policy: Option<String>,
    pub rule: Option<String>,
    /// Why the rule is there, in its own words; `None` when it says nothing.
    pub why: Option<String>,
    pub severity: Option<Severity>,
    pub enforced: Option<Placement>,
    /// 1-based line of the rule in its document.
    pub line: Option<u32>,
    /// The verdict rests on a fact that is not known.
    pub assumed: bool,
}

/// Decides `request` and names what decided.
pub fn explain(policies: &[Effective], request: &Request, features: HostFeatures) -> Explanation {
    let decision = evaluate(policies, request);
    let (rule, effective) = match decided_by(policies, &decision) {
        Some((effective, rule)) => (Some(rule), Some(effective)),
        None => (None, None),
    };
    let monitored = effective.is_some_and(|effective| effective.mode == Mode::Monitor);
    Explanation {
        verdict: decision.verdict,
        policy: effective.map(|effective| effective.policy.name.clone()),
        rule: rule.map(|rule| rule.name.clone()),
        why: rule
            .map(|rule| rule.description.clone())
            .filter(|why| !why.is_empty()),
        severity: rule.map(|rule| rule.severity),
        enforced: rule.map(|rule| match monitored {
            true => Placement::NotEnforced("the policy is assigned in monitor mode"),
            false => placement(rule, features),
        }),
        line: rule.map(|rule| rule.line),
        assumed: decision.assumed,
    }
}

/// The policy and rule behind a decision.
pub fn decided_by<'a>(
    policies: &'a [Effective],
    decision: &Decision,
) -> Option<(&'a Effective, &'a Rule)> {
    let deciding = decision.deciding?;
    let effective = policies.get(deciding.policy_index)?;
    Some((effective, effective.policy.rules.get(deciding.rule_index)?))
}

impl Explanation {
    /// `{"verdict", "policy", "rule", "severity", "enforced"}`; the last four are null when no
    /// rule matches. `enforced` is `kernel`, `user-space at start`, `user-space at start and
    /// clock`, or `not enforced: …`.
    pub fn json(&self) -> Value {
        json!({
            "verdict": self.verdict,
            "policy": self.policy,
            "rule": self.rule,
            "severity": self.severity,
            "enforced": self.enforced.map(|placement| placement.to_string()),
        })
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut text = format!("verdict:  {}\n", self.verdict);
        match (&self.policy, &self.rule, self.line) {
            (Some(policy), Some(rule), Some(0)) => {
                text.push_str(&format!(
                    "policy:   {policy}\nrule:     {rule} (built in)\n"
                ));
            }
            (Some(policy), Some(rule), Some(line)) => {
                text.push_str(&format!(
                    "policy:   {policy}\nrule:     {rule} (line {line})\n"
                ));
            }
            _ => text.push_str("rule:     none matches, which allows\n"),
        }
        if let Some(why) = &self.why {
            text.push_str(&format!("why:      {}\n", why.replace('\n', " ")));
        }
        if let Some(severity) = self.severity {
            text.push_str(&format!("severity: {severity}\n"));
        }
        if let Some(enforced) = self.enforced {
            text.push_str(&format!("enforced: {}\n", enforced.describe()));
        }
        if self.assumed {
            text.push_str("assumed:  a fact that was not given counts as what restricts\n");
        }
        text
    }
}

/// Policies that hold together on a host for every agent, in enforce mode.
pub fn all_enforced(policies: Vec<Policy>) -> Vec<Effective> {
    policies
        .into_iter()
        .map(|policy| Effective {
            policy: Arc::new(policy),
            version: 0,
            mode: Mode::Enforce,
            agent_types: Vec::new(),
        })
        .collect()
}

/// The arguments of `tyr policy explain`.
#[derive(Clone, Copy, Debug)]
pub struct ExplainArguments<'a> {
    pub files: &'a [File],
    pub agent_type: &'a str,
    /// Absolute path of the executable that acts.
    pub exe: &'a str,
    pub action: &'a str,
    pub resource: &'a str,
    /// RFC 3339.
    pub at: Option<&'a str>,
    /// The clock of the machine, for when `at` is not given.
    pub now: &'a Zoned,
    pub features: HostFeatures,
}

/// `tyr policy explain`. `resolver` answers for the file system that the question is about.
/// Exit code 65 when a file is refused, 64 when an argument means nothing.
pub fn explain_files(
    arguments: &ExplainArguments<'_>,
    options: &LoadOptions<'_>,
    resolver: Option<Resolver<'_>>,
) -> Answer {
    let (policies, problems) = load_all(arguments.files, options);
    if problems.iter().any(|problem| !problem.warning) {
        let text = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        return Answer {
            text,
            json: json!({ "problems": problems }),
            exit_code: EXIT_DATA,
        };
    }
    let mut policies: Vec<Policy> = policies.into_iter().map(|(_, policy)| policy).collect();
    if let Some(resolver) = resolver {
        for policy in &mut policies {
            symlink::resolve_symlinks(policy, resolver);
        }
    }
    let request = match request(arguments, resolver) {
        Ok(request) => request,
        Err(message) => {
            let json = json!({ "error": message });
            return Answer {
                text: format!("error: {message}\n"),
                json,
                exit_code: EXIT_USAGE,
            };
        }
    };
    let mut policies = all_enforced(policies);
    policies.push(own::policy(&own::Places::default()));
    let explanation = explain(&policies, &request, arguments.features);
    let mut text = explanation.text();
    if let Some(help) = agent_types::unknown(arguments.agent_type, options.agent_types) {
        let agent_type = arguments.agent_type;
        text.push_str(&format!(
            "note:     no signature has the agent type `{agent_type}`: {help}\n"
        ));
    }
    Answer {
        text,
        json: explanation.json(),
        exit_code: EXIT_OK,
    }
}

fn request(
    arguments: &ExplainArguments<'_>,
    resolver: Option<Resolver<'_>>,
) -> Result<Request, String> {
    let said = |error: question::QuestionError| format!("{error}: {}", error.help);
    let action: Action = arguments
        .action
        .parse()
        .map_err(|error| format!("{error}"))?;
    let exe = question::path(arguments.exe).map_err(|error| format!("--exe: {}", said(error)))?;
    let resource = question::resource(action, arguments.resource)
        .map_err(|error| format!("--resource: {}", said(error)))?;
    let moment = match arguments.at {
        None => Moment::from_zoned(arguments.now),
        Some(text) => question::moment(text).map_err(|error| format!("--at: {}", said(error)))?,
    };
    let mut principal = Principal::of_type(arguments.agent_type);
    principal.exe = Fact::Known(exe);
    let mut request = Request {
        principal,
        action,
        resource,
        moment: Some(moment),
    };
    if let Some(resolver) = resolver {
        resolve_request(&mut request, resolver);
    }
    Ok(request)
}

/// Replaces the paths of a question by the ones the kernel would see.
pub fn resolve_request(request: &mut Request, resolver: Resolver<'_>) {
    if let Fact::Known(exe) = &mut request.principal.exe {
        *exe = symlink::resolve_path(exe, resolver);
    }
    if let Resource::Paths(paths) = &mut request.resource {
        for path in paths {
            *path = symlink::resolve_path(path, resolver);
        }
    }
}

#[cfg(test)]
mod tests;
