//! A condition as a tree whose leaves Cedar evaluates.

use cedar_policy::{Authorizer, Decision, Policy, PolicySet};
use serde_json::{Value, json};

use crate::policy::fact::Truth;

use super::attribute::Needs;
use super::facts::Facts;
use super::rewrite;

pub(super) enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Leaf(Box<Leaf>),
}

/// A part without boolean structure: a Cedar policy that permits when it is true.
pub(super) struct Leaf {
    needs: Needs,
    permit: PolicySet,
}

impl Node {
    /// From the rewritten JSON form. Errors with Cedar's reason when a part is no policy.
    pub(super) fn build(expression: &Value) -> Result<Node, String> {
        let Some((operator, body)) = rewrite::single_entry(expression) else {
            return Err("condition has a part that tyr does not know".to_owned());
        };
        let child = |key: &str| Node::build(&body[key]).map(Box::new);
        Ok(match operator.as_str() {
            "&&" => Node::And(child("left")?, child("right")?),
            "||" => Node::Or(child("left")?, child("right")?),
            "!" => Node::Not(child("arg")?),
            "if-then-else" => Node::If(child("if")?, child("then")?, child("else")?),
            _ => Node::Leaf(Box::new(Leaf::build(expression)?)),
        })
    }

    pub(super) fn eval(&self, facts: &Facts<'_>) -> Truth {
        match self {
            Node::And(left, right) => left.eval(facts).and_then(|| right.eval(facts)),
            Node::Or(left, right) => match left.eval(facts) {
                Truth::True => Truth::True,
                other => other.or(right.eval(facts)),
            },
            Node::Not(inner) => !inner.eval(facts),
            Node::If(test, yes, no) => match test.eval(facts) {
                Truth::True => yes.eval(facts),
                Truth::False => no.eval(facts),
                Truth::Unknown => {
                    let answer = yes.eval(facts);
                    if answer == no.eval(facts) {
                        answer
                    } else {
                        Truth::Unknown
                    }
                }
            },
            Node::Leaf(leaf) => leaf.eval(facts),
        }
    }
}

impl Leaf {
    fn build(expression: &Value) -> Result<Leaf, String> {
        let mut needs = Needs::default();
        rewrite::needs(expression, &mut needs);
        let policy = json!({
            "effect": "permit",
            "principal": { "op": "All" },
            "action": { "op": "All" },
            "resource": { "op": "All" },
            "conditions": [{ "kind": "when", "body": expression }],
        });
        let policy = Policy::from_json(None, policy).map_err(|error| error.to_string())?;
        let permit = PolicySet::from_policies([policy]).map_err(|error| error.to_string())?;
        Ok(Leaf { needs, permit })
    }

    fn eval(&self, facts: &Facts<'_>) -> Truth {
        if !facts.settle(&self.needs) {
            return Truth::Unknown;
        }
        let Some((request, entities)) = facts.cedar() else {
            return Truth::Unknown;
        };
        let response = Authorizer::new().is_authorized(request, &self.permit, entities);
        if response.diagnostics().errors().next().is_some() {
            return Truth::Unknown;
        }
        Truth::from(response.decision() == Decision::Allow)
    }
}
