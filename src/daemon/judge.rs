//! Which rule it was: the evaluator's word on a decision of the kernel.
//!
//! The kernel gives a verdict and no rule. The evaluator is asked about the same event with the
//! policies of the same generation. Where the two disagree the kernel's verdict stands, because
//! it is what happened, and the disagreement is said in the event and as an alarm.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::model::event::{Operation, path_text};
use crate::model::resource::Resource;
use crate::model::verdict::Severity;
use crate::policy::evaluate::{self, Request, evaluate};
use crate::policy::fact::Fact;
use crate::policy::moment::Moment;
use crate::policy::own;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;

use super::kernel::{Decision, Reason};

/// Generations whose policies are remembered: records of an older one are long out of the buffer.
const GENERATIONS_MAX: usize = 16;
/// A record may be read a moment before the generation it names is noted.
const GENERATION_WAIT: Duration = Duration::from_secs(5);

/// What was in force under some numbers.
#[derive(Clone, Debug)]
pub struct Generation {
    pub numbers: RangeInclusive<u32>,
    pub policies: Arc<Vec<Effective>>,
    /// Facts of the host.
    pub host: Principal,
    /// The hour for which conditions on time were settled.
    pub moment: Moment,
}

/// The last generations.
#[derive(Debug, Default)]
pub struct Generations {
    kept: Mutex<VecDeque<Generation>>,
    added: Condvar,
}

impl Generations {
    pub fn add(&self, generation: Generation) {
        let mut kept = self.lock();
        kept.retain(|other| other.numbers != generation.numbers);
        kept.push_back(generation);
        while kept.len() > GENERATIONS_MAX {
            kept.pop_front();
        }
        self.added.notify_all();
    }

    /// The generation with this number. A number that is newer than every known one is waited
    /// for, because it is noted right after the kernel got it.
    pub fn get(&self, number: u32) -> Option<Generation> {
        let is_newer = |kept: &mut VecDeque<Generation>| {
            !kept.is_empty() && kept.iter().all(|other| *other.numbers.end() < number)
        };
        let waited = self
            .added
            .wait_timeout_while(self.lock(), GENERATION_WAIT, is_newer);
        let (kept, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut newest_first = kept.iter().rev();
        newest_first
            .find(|other| other.numbers.contains(&number))
            .cloned()
    }

    pub fn newest(&self) -> Option<Generation> {
        self.lock().back().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Generation>> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The operation as it is reported, and an alarm when kernel and evaluator disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub operation: Operation,
    pub disagreement: Option<String>,
}

/// Names the rule behind `decision`. `session` is what is known of the session.
pub fn judge(
    generation: Option<&Generation>,
    session: &Principal,
    decision: &Decision,
    is_observing: bool,
) -> Judged {
    let mut operation = Operation {
        action: decision.action,
        resource: resource_text(decision),
        verdict: decision.verdict,
        enforced: !decision.monitored && !is_observing,
        severity: Severity::default(),
        policy: None,
        policy_version: None,
        rule: None,
        reason: other_names(decision)
            .iter()
            .fold(reason_text(decision.reason).to_owned(), |text, name| {
                join(&text, &format!("also {}", path_text(name)))
            }),
        count: 1,
    };
    let asks_rules = matches!(
        decision.reason,
        Reason::Cell | Reason::Unsettled | Reason::TooLong | Reason::Linked
    );
    if let Reason::SelfProtection(rule) = decision.reason {
        operation.severity = Severity::Critical;
        operation.policy = Some(own::NAME.to_owned());
        operation.policy_version = Some(own::VERSION);
        operation.rule = Some(rule.to_owned());
    }
    if !asks_rules {
        return Judged {
            operation,
            disagreement: None,
        };
    }
    let Some(generation) = generation else {
        operation.reason = join(
            &operation.reason,
            "the policies of this generation are not known",
        );
        return Judged {
            operation,
            disagreement: None,
        };
    };
    let known = Principal {
        exe: exe(decision),
        ..session.clone()
    };
    let unrefined = Principal {
        agent_types: known.agent_types.clone(),
        exe: known.exe.clone(),
        ..generation.host.clone()
    };
    let ask = |principal: &Principal| {
        let request = Request {
            principal: principal.clone(),
            action: decision.action,
            resource: decision.resource.clone(),
            moment: Some(generation.moment),
        };
        evaluate(&generation.policies, &request)
    };
    let agrees = |answer: &evaluate::Decision| {
        answer.verdict == decision.verdict && answer.enforced != decision.monitored
    };
    if decision.reason == Reason::Linked {
        // The kernel asks about each name by itself, and not all are known here.
        let answers = [&known, &unrefined].map(|principal| {
            let mut names = one_by_one(&decision.resource).map(|name| {
                let request = Request {
                    principal: principal.clone(),
                    action: decision.action,
                    resource: name,
                    moment: Some(generation.moment),
                };
                evaluate(&generation.policies, &request)
            });
            names.find(|answer| agrees(answer))
        });
        if let Some(answer) = answers.iter().flatten().next() {
            name_rule(&mut operation, generation, answer);
        }
        return Judged {
            operation,
            disagreement: None,
        };
    }
    let full = ask(&known);
    if agrees(&full) {
        name_rule(&mut operation, generation, &full);
        return Judged {
            operation,
            disagreement: None,
        };
    }
    let early = ask(&unrefined);
    if agrees(&early) {
        name_rule(&mut operation, generation, &early);
        operation.reason = join(
            &operation.reason,
            "decided before the session was fully known",
        );
        return Judged {
            operation,
            disagreement: None,
        };
    }
    name_rule(&mut operation, generation, &full);
    let said = format!(
        "the kernel said {}{}, the evaluator says {}{}",
        decision.verdict,
        if decision.monitored {
            " (monitored)"
        } else {
            ""
        },
        full.verdict,
        if full.enforced { "" } else { " (monitored)" },
    );
    operation.reason = join(&operation.reason, &said);
    let alarm = format!(
        "kernel and evaluator disagree in generation {} about {} of {} by {}: {said}",
        generation.numbers.end(),
        decision.action,
        operation.resource,
        decision
            .exe
            .as_deref()
            .map_or_else(|| "an unknown program".to_owned(), path_text),
    );
    Judged {
        operation,
        disagreement: Some(alarm),
    }
}

fn name_rule(operation: &mut Operation, generation: &Generation, answer: &evaluate::Decision) {
    operation.severity = answer.severity;
    if let Some(deciding) = answer.deciding {
        let effective = &generation.policies[deciding.policy_index];
        operation.policy = Some(effective.policy.name.clone());
        operation.policy_version = Some(effective.version);
        operation.rule = Some(effective.policy.rules[deciding.rule_index].name.clone());
    }
}

fn exe(decision: &Decision) -> Fact<Vec<u8>> {
    decision.exe.clone().map_or(Fact::Unknown, Fact::Known)
}

fn join(reason: &str, more: &str) -> String {
    if reason.is_empty() {
        more.to_owned()
    } else {
        format!("{reason}; {more}")
    }
}

/// Most further names of an object that an event shows.
const OTHER_NAMES_MAX: usize = 3;

/// The paths of an object after the one that is its resource: those in containers, those of other
/// mounts, and other hard links.
fn other_names(decision: &Decision) -> &[Vec<u8>] {
    match &decision.resource {
        Resource::Paths(paths) => &paths[1.min(paths.len())..paths.len().min(1 + OTHER_NAMES_MAX)],
        _ => &[],
    }
}

/// Each path of an object as if it had no other.
fn one_by_one(resource: &Resource) -> impl Iterator<Item = Resource> {
    let paths = match resource {
        Resource::Paths(paths) => paths.as_slice(),
        _ => &[],
    };
    paths
        .iter()
        .map(|path| Resource::Paths(vec![path.clone()]))
        .chain([Resource::Unknown])
}

fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Cell => "",
        Reason::Unsettled => "path not settled",
        Reason::TooLong => "path too long",
        Reason::Fault => "the kernel program failed, so the operation was denied",
        Reason::SelfProtection(_) => "Tyr protects itself",
        Reason::Moved => "the new name lies under other rules than the old one",
        Reason::Linked => "the rule is that of another hard link of the file",
    }
}

fn resource_text(decision: &Decision) -> String {
    match &decision.resource {
        Resource::Paths(paths) => paths
            .first()
            .map(|path| path_text(path))
            .unwrap_or_default(),
        Resource::Address { ip, port, protocol } => {
            let address = std::net::SocketAddr::new(*ip, *port);
            format!("{address}/{}", protocol.name())
        }
        Resource::ServerName(Some(name)) => name.clone(),
        Resource::ServerName(None) => "(no name)".to_owned(),
        Resource::Unknown => decision.described.clone(),
    }
}

#[cfg(test)]
mod tests;
