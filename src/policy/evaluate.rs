//! The reference: this process does this to that — what verdict, by which rule of which policy.
//!
//! Kernel cells, explanations, dry runs and the rule name in an event are its answers.

use crate::model::action::Action;
use crate::model::resource::Resource;
use crate::model::verdict::{Mode, Severity, Verdict};

use super::condition::{Condition, Facts, Object};
use super::rule::{Effective, Match, Rule};

pub use super::fact::{Fact, Truth};
pub use super::moment::Moment;
pub use super::principal::Principal;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub principal: Principal,
    pub action: Action,
    pub resource: Resource,
    /// `None`: the time is not known, and conditions on it count in the direction that restricts.
    pub moment: Option<Moment>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is reported: the strictest verdict of all policies.
    pub verdict: Verdict,
    /// Whether `verdict` is also what happens; false when only a monitored policy gives it.
    pub enforced: bool,
    /// What happens: the strictest verdict of the policies in enforce mode.
    pub effect: Verdict,
    /// Of the deciding rule; low by default.
    pub severity: Severity,
    /// `None`: no rule matched, which allows.
    pub deciding: Option<Deciding>,
    /// The verdict rests on a fact that is not known.
    pub assumed: bool,
}

/// Indexes of the rule that decided: into the policies asked, and into that policy's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deciding {
    pub policy_index: usize,
    pub rule_index: usize,
}

/// Decides `request`.
///
/// Within a policy the first matching rule decides. Across policies the strictest answer wins;
/// among equals one that a rule gave before the default, an enforced one before a monitored one,
/// then the policy whose name sorts first. A process of several agents gets the strictest answer
/// over its types. A rule that may or may not match, because a fact is not known, counts if it
/// restricts. Of a resource that is not known every deny rule counts, and of the others those that
/// match whatever there is.
pub fn evaluate(policies: &[Effective], request: &Request) -> Decision {
    let default = Decision {
        verdict: Verdict::Allow,
        enforced: true,
        effect: Verdict::Allow,
        severity: Severity::default(),
        deciding: None,
        assumed: false,
    };
    let types: Vec<Fact<&str>> = match &request.principal.agent_types {
        Fact::Known(types) => types
            .iter()
            .map(|name| Fact::Known(name.as_str()))
            .collect(),
        Fact::Unknown => vec![Fact::Unknown],
    };
    let mut reported: Option<(Answer, usize)> = None;
    let mut effect = Verdict::Allow;
    for agent_type in types {
        let question = Question::new(request, agent_type);
        for (index, policy) in policies.iter().enumerate() {
            let Some(answer) = question.ask(policy) else {
                continue;
            };
            if policy.mode == Mode::Enforce {
                effect = effect.max(answer.verdict);
            }
            let stricter = reported.as_ref().is_none_or(|(best, best_index)| {
                rank(&answer, policy) > rank(best, &policies[*best_index])
            });
            if stricter {
                reported = Some((answer, index));
            }
        }
    }
    let Some((answer, policy_index)) = reported else {
        return default;
    };
    let policy = &policies[policy_index];
    Decision {
        verdict: answer.verdict,
        enforced: policy.mode == Mode::Enforce,
        effect,
        severity: policy.policy.rules[answer.rule_index].severity,
        deciding: Some(Deciding {
            policy_index,
            rule_index: answer.rule_index,
        }),
        assumed: answer.assumed,
    }
}

/// Greater is reported first.
fn rank<'a>(answer: &Answer, policy: &'a Effective) -> (Verdict, bool, std::cmp::Reverse<&'a str>) {
    (
        answer.verdict,
        policy.mode == Mode::Enforce,
        std::cmp::Reverse(&policy.policy.name),
    )
}

/// What one policy says.
struct Answer {
    verdict: Verdict,
    rule_index: usize,
    assumed: bool,
}

/// A request narrowed to one agent type, with its facts prepared for conditions.
struct Question<'a> {
    request: &'a Request,
    agent_type: Fact<&'a str>,
    /// One for each path; one in all for other resources.
    facts: Vec<Facts<'a>>,
}

impl<'a> Question<'a> {
    fn new(request: &'a Request, agent_type: Fact<&'a str>) -> Question<'a> {
        let objects = match &request.resource {
            Resource::Paths(paths) => paths.iter().map(|path| Object::Path(path)).collect(),
            Resource::Address { ip, port, protocol } => {
                vec![Object::Peer {
                    ip: *ip,
                    port: *port,
                    protocol: *protocol,
                }]
            }
            Resource::ServerName(name) => vec![Object::ServerName(name.as_deref())],
            Resource::Unknown => vec![Object::Unknown],
        };
        let facts = objects
            .into_iter()
            .map(|object| {
                let moment = request.moment;
                Facts::new(
                    &request.principal,
                    agent_type,
                    request.action,
                    object,
                    moment,
                )
            })
            .collect();
        Question {
            request,
            agent_type,
            facts,
        }
    }

    /// The first rule that matches for certain, or a stricter one before it that may match.
    fn ask(&self, policy: &Effective) -> Option<Answer> {
        let binds = self.is_among(&policy.agent_types);
        if binds == Truth::False {
            return None;
        }
        let mut strictest: Option<Answer> = None;
        let mut assumed = binds == Truth::Unknown;
        for (rule_index, rule) in policy.policy.rules.iter().enumerate() {
            let matched = self.matches(rule);
            if matched == Truth::False {
                continue;
            }
            assumed |= matched == Truth::Unknown;
            if strictest
                .as_ref()
                .is_none_or(|best| rule.verdict > best.verdict)
            {
                strictest = Some(Answer {
                    verdict: rule.verdict,
                    rule_index,
                    assumed,
                });
            }
            if matched == Truth::True {
                break;
            }
        }
        strictest
    }

    fn matches(&self, rule: &Rule) -> Truth {
        if rule.action != self.request.action {
            return Truth::False;
        }
        self.is_among(&rule.agent_types)
            .and_then(|| self.matches_binaries(rule))
            .and_then(|| self.matches_resource(rule))
    }

    /// Whether the agent's type is one of `types`, of which none means all.
    fn is_among(&self, types: &[String]) -> Truth {
        if types.is_empty() {
            return Truth::True;
        }
        match self.agent_type {
            Fact::Known(name) => Truth::from(types.iter().any(|listed| listed == name)),
            Fact::Unknown => Truth::Unknown,
        }
    }

    fn matches_binaries(&self, rule: &Rule) -> Truth {
        if rule.binaries.is_empty() {
            return Truth::True;
        }
        match &self.request.principal.exe {
            Fact::Known(exe) => Truth::from(rule.binaries.iter().any(|p| p.matches(exe))),
            Fact::Unknown => Truth::Unknown,
        }
    }

    /// The resource and the condition together: a condition on the path is about the same one of
    /// an object's paths that the pattern matches.
    fn matches_resource(&self, rule: &Rule) -> Truth {
        let holds = |facts: &Facts<'_>| {
            rule.condition
                .as_ref()
                .map_or(Truth::True, |condition| condition.eval(facts))
        };
        match (&self.request.resource, &rule.matches) {
            (Resource::Unknown, matches) => {
                let counts = rule.verdict == Verdict::Deny || matches.is_everything();
                Truth::from(counts).and_then(|| self.any(holds))
            }
            (Resource::Paths(paths), Match::Path(patterns)) => {
                let reads_path = rule
                    .condition
                    .as_ref()
                    .is_some_and(|condition| condition.needs().resource());
                let mut answer = Truth::False;
                for (path, facts) in paths.iter().zip(&self.facts) {
                    if !patterns.iter().any(|pattern| pattern.matches(path)) {
                        continue;
                    }
                    answer = answer.or(holds(facts));
                    if answer == Truth::True || !reads_path {
                        break;
                    }
                }
                answer
            }
            (Resource::Address { ip, .. }, Match::Address(addresses)) => {
                Truth::from(addresses.matches(*ip)).and_then(|| self.any(holds))
            }
            (Resource::ServerName(name), Match::ServerName(pattern)) => {
                let matches = pattern
                    .as_ref()
                    .is_none_or(|pattern| name.as_ref().is_some_and(|name| pattern.matches(name)));
                Truth::from(matches).and_then(|| self.any(holds))
            }
            _ => Truth::False,
        }
    }

    fn any(&self, holds: impl Fn(&Facts<'_>) -> Truth) -> Truth {
        self.facts.iter().map(holds).fold(Truth::False, Truth::or)
    }
}

/// Whether the answers of `rule` can change while an agent runs, without a new policy.
pub fn depends_on_clock(rule: &Rule) -> bool {
    rule.condition
        .as_ref()
        .is_some_and(|condition: &Condition| condition.needs().time())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
