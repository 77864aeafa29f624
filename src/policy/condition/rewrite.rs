//! From Cedar's JSON form to one whose every part Tyr can place: only attributes of the schema are
//! read, `in` over a set of literals is `contains`, labels that are not there read as "".

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::model::action::Action;
use crate::model::resource::Protocol;
use crate::policy::moment::{TIMES_OF_DAY, WEEKDAYS};
use crate::policy::nearest;

use super::atom::{LikePart, Subject, is_reserved, protocol_number};
use super::attribute::{Attribute, Needs, Variable};
use super::{ConditionError, scan};

/// What the walk over one expression found.
pub(super) struct Rewrite<'a> {
    text: &'a str,
    action: Action,
    pub(super) labels: BTreeSet<String>,
    pub(super) errors: Vec<ConditionError>,
}

const RESERVED: &str = "characters from U+10FF00 on stand for bytes that are not text";

impl<'a> Rewrite<'a> {
    pub(super) fn new(text: &'a str, action: Action) -> Rewrite<'a> {
        Rewrite {
            text,
            action,
            labels: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    fn refuse(&mut self, offset: usize, message: String, help: &str) {
        let error = ConditionError {
            offset,
            message,
            help: help.to_owned(),
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Rewrites `expression` in place.
    pub(super) fn walk(&mut self, expression: &mut Value) {
        let Some((operator, body)) = single_entry(expression) else {
            return self.refuse(
                0,
                "condition has a part that tyr does not know".to_owned(),
                "",
            );
        };
        match operator.as_str() {
            "Value" => self.value(&body),
            "Var" => self.whole_variable(body.as_str().unwrap_or_default()),
            "." => self.access(expression, &body),
            "has" => self.has(expression, &body),
            "in" => self.membership(expression, &body),
            "==" | "!=" | "contains" | "like" => {
                self.check_words(&body);
                if !self.fold(&operator, &mut expression[&operator]) {
                    self.children(&mut expression[&operator]);
                }
            }
            "<" | "<=" | ">" | ">=" => {
                if !self.fold(&operator, &mut expression[&operator]) {
                    self.children(&mut expression[&operator]);
                }
            }
            "getTag" | "hasTag" | "is" | "Slot" => {
                let offset = scan::locate_word(self.text, &operator);
                let help = "compare attributes of principal, context and resource with literals";
                self.refuse(
                    offset,
                    format!("`{operator}` has no use in a condition"),
                    help,
                );
            }
            "Set" | "Record" | "if-then-else" | "!" | "neg" | "&&" | "||" | "+" | "-" | "*"
            | "containsAll" | "containsAny" | "isEmpty" => {
                self.children(&mut expression[&operator]);
            }
            function => {
                let offset = scan::locate_word(self.text, function);
                let message = format!("function `{function}` is not available in a condition");
                self.refuse(
                    offset,
                    message,
                    "use cidr_allow and cidr_deny for address ranges",
                );
            }
        }
    }

    /// Walks the operands of an operator, whatever their names are.
    fn children(&mut self, body: &mut Value) {
        match body {
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Object(fields) => {
                for (_, field) in fields.iter_mut().filter(|(_, field)| field.is_object()) {
                    self.walk(field);
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, body: &Value) {
        if body.get("__entity").is_some() || body.get("__extn").is_some() {
            let help = "compare attributes such as principal.agent_type with strings";
            self.refuse(0, "entities have no use in a condition".to_owned(), help);
        }
    }

    fn whole_variable(&mut self, name: &str) {
        let offset = scan::locate_whole(self.text, name);
        let (message, help) = if name == "action" {
            (
                "`action` has no use in a condition".to_owned(),
                "a rule has one action: `action:`",
            )
        } else {
            (
                format!("`{name}` is read as a whole"),
                "name one of its attributes",
            )
        };
        self.refuse(offset, message, help);
    }

    /// `variable.attribute`, `principal.host_labels.key`, or an attribute of something else.
    fn access(&mut self, expression: &mut Value, body: &Value) {
        let name = body["attr"].as_str().unwrap_or_default().to_owned();
        let left = &body["left"];
        if let Some(variable) = variable_of(left) {
            if let Some(attribute) = self.attribute(variable, &name) {
                self.read_alone(attribute);
            }
            return;
        }
        if attribute_of(left) == Some(Attribute::HostLabels) {
            self.labels.insert(name.clone());
            let has = json!({ "has": { "left": left, "attr": name } });
            *expression = json!({ "if-then-else": {
                "if": has, "then": expression.clone(), "else": { "Value": "" } } });
            return;
        }
        let mut left = left.clone();
        self.walk(&mut left);
        expression["."]["left"] = left;
    }

    /// Every attribute is always there, known or not; only labels may be missing.
    fn has(&mut self, expression: &mut Value, body: &Value) {
        let name = body["attr"].as_str().unwrap_or_default();
        let left = &body["left"];
        if let Some(variable) = variable_of(left) {
            self.attribute(variable, name);
            *expression = json!({ "Value": true });
        } else if attribute_of(left) == Some(Attribute::HostLabels) {
            self.labels.insert(name.to_owned());
        } else {
            let offset = scan::locate_word(self.text, "has");
            let message = "`has` asks for something that is never optional".to_owned();
            self.refuse(
                offset,
                message,
                "only labels may be missing: principal.host_labels has env",
            );
        }
    }

    /// Checks that the rule's action has the attribute.
    fn attribute(&mut self, variable: Variable, name: &str) -> Option<Attribute> {
        let offset = scan::locate_attribute(self.text, variable, name);
        let known: Vec<&str> = Attribute::ALL
            .into_iter()
            .filter(|a| a.variable() == variable && a.belongs_to(self.action))
            .map(Attribute::name)
            .collect();
        let full = format!("{}.{name}", variable.name());
        let Some(attribute) = Attribute::named(variable, name) else {
            let help = nearest::help(name, &known);
            self.refuse(offset, format!("`{full}` is not an attribute"), &help);
            return None;
        };
        if !attribute.belongs_to(self.action) {
            let help = format!("{} has {}", self.action, known.join(", "));
            self.refuse(
                offset,
                format!("`{full}` does not exist for {}", self.action),
                &help,
            );
            return None;
        }
        Some(attribute)
    }

    /// An attribute that the kernel's tables fold must be compared with literals.
    fn read_alone(&mut self, attribute: Attribute) {
        if let Some(subject) = Subject::of(attribute) {
            let variable = attribute.variable();
            let offset = scan::locate_attribute(self.text, variable, attribute.name());
            let message = format!(
                "`{}` is compared with something other than literals",
                subject.name()
            );
            let help = match subject {
                Subject::Port => "use ==, !=, <, <=, >, >=, or in [22, 443] with numbers",
                Subject::Protocol => "use ==, != or in [\"tcp\", \"udp\"] with string literals",
                _ => "use ==, !=, like, or in [\"…\", \"…\"] with string literals",
            };
            self.refuse(offset, message, help);
        }
    }

    /// `x in ["a", "b"]` means contains; Cedar's own `in` is about entities.
    fn membership(&mut self, expression: &mut Value, body: &Value) {
        let literals = body["right"]["Set"].as_array().is_some_and(|items| {
            !items.is_empty() && items.iter().all(|item| literal_of(item).is_some())
        });
        if !literals {
            let offset = scan::locate_word(self.text, "in");
            let message = "`in` needs a set of literals on its right".to_owned();
            return self.refuse(offset, message, "write it as in [\"a\", \"b\"]");
        }
        *expression = json!({ "contains": { "left": body["right"], "right": body["left"] } });
        self.walk(expression);
    }

    /// Checks a comparison of a foldable attribute with literals. False: it is not one.
    fn fold(&mut self, operator: &str, body: &mut Value) -> bool {
        if operator == "like" {
            let Some(subject) = subject_of(&body["left"]) else {
                return false;
            };
            self.take_like(subject, body);
            return self.known_subject(&body["left"]);
        }
        let (subject_side, literal_side) =
            match (subject_of(&body["left"]), subject_of(&body["right"])) {
                (Some(subject), None) if subject.is_compared_by(operator) => {
                    ((subject, "left"), "right")
                }
                (None, Some(subject))
                    if operator == "contains" || subject.is_compared_by(operator) =>
                {
                    ((subject, "right"), "left")
                }
                _ => return false,
            };
        let (subject, subject_key) = subject_side;
        let literals = if operator == "contains" {
            body[literal_side]["Set"]
                .as_array_mut()
                .map(|items| items.iter_mut().collect())
        } else {
            Some(vec![&mut body[literal_side]])
        };
        let Some(literals): Option<Vec<&mut Value>> = literals else {
            return false;
        };
        if literals
            .iter()
            .any(|item| !literal_of(item).is_some_and(|literal| subject.is_like(literal)))
        {
            return false;
        }
        let mut refused = Vec::new();
        for item in literals {
            match canonical(subject, &item["Value"]) {
                Ok(canonical) => item["Value"] = canonical,
                Err(message) => refused.push((item["Value"].clone(), message)),
            }
        }
        for (literal, message) in refused {
            let word = literal
                .as_str()
                .map_or_else(|| literal.to_string(), |text| format!("{text:?}"));
            self.refuse(scan::locate_word(self.text, &word), message, "");
        }
        self.known_subject(&body[subject_key])
    }

    /// A time of day or weekday that does not exist would make a rule that never matches.
    fn check_words(&mut self, body: &Value) {
        for (side, other) in [("left", "right"), ("right", "left")] {
            let words = match attribute_of(&body[side]) {
                Some(Attribute::TimeOfDay) => &TIMES_OF_DAY[..],
                Some(Attribute::Weekday) => &WEEKDAYS[..],
                _ => continue,
            };
            let one = std::slice::from_ref(&body[other]);
            let literals = body[other]["Set"].as_array().map_or(one, Vec::as_slice);
            for text in literals
                .iter()
                .filter_map(|item| literal_of(item)?.as_str())
            {
                if !words.contains(&text) {
                    let offset = scan::locate_word(self.text, &format!("{text:?}"));
                    let help = nearest::help(text, words);
                    self.refuse(offset, format!("{text:?} is never equal to it"), &help);
                }
            }
        }
    }

    fn take_like(&mut self, subject: Subject, body: &mut Value) {
        let offset = scan::locate_word(self.text, "like");
        let elements = body["pattern"].as_array_mut().into_iter().flatten();
        let texts = elements.filter_map(|element| element.get_mut("Literal"));
        let instead = match subject {
            Subject::Address => "use cidr_allow and cidr_deny",
            Subject::Port | Subject::Protocol => "use ==, != or in […]",
            Subject::Path | Subject::Exe | Subject::Sni => "",
        };
        if !instead.is_empty() {
            let message = format!("`{}` cannot be compared by like", subject.name());
            return self.refuse(offset, message, instead);
        }
        let mut reserved = false;
        for text in texts {
            reserved |= text
                .as_str()
                .is_some_and(|text| text.chars().any(is_reserved));
            if subject == Subject::Sni {
                *text = Value::String(text.as_str().unwrap_or_default().to_ascii_lowercase());
            }
        }
        if reserved {
            self.refuse(offset, RESERVED.to_owned(), "");
        }
    }

    /// The attribute behind a folded subject is still checked against the action. Always true.
    fn known_subject(&mut self, access: &Value) -> bool {
        if let Some(attribute) = attribute_of(access) {
            self.attribute(attribute.variable(), attribute.name());
        }
        true
    }
}

/// A literal in the form that facts have.
fn canonical(subject: Subject, literal: &Value) -> Result<Value, String> {
    let Some(text) = literal.as_str() else {
        let port = literal.as_i64().and_then(|port| u16::try_from(port).ok());
        return port
            .map(Value::from)
            .ok_or_else(|| format!("{literal} is not a port: write a number from 0 to 65535"));
    };
    if text.chars().any(is_reserved) {
        return Err(RESERVED.to_owned());
    }
    let canonical = match subject {
        Subject::Address => {
            let ip = text.parse::<IpAddr>();
            let ip = ip.map_err(|_| format!("{text:?} is not an ip address"))?;
            ip.to_canonical().to_string()
        }
        Subject::Protocol => {
            let number = protocol_number(text).ok_or_else(|| {
                format!("{text:?} is not a protocol: write \"tcp\", \"udp\" or an ip protocol number up to 254")
            })?;
            Protocol::from_number(u16::from(number)).name()
        }
        Subject::Sni => text.trim_end_matches('.').to_ascii_lowercase(),
        Subject::Path | Subject::Exe | Subject::Port => text.to_owned(),
    };
    Ok(Value::String(canonical))
}

/// Which attributes an expression reads.
pub(super) fn needs(expression: &Value, found: &mut Needs) {
    if let Some(attribute) = attribute_of(expression) {
        found.0.insert(attribute);
        return;
    }
    match expression {
        Value::Array(items) => items.iter().for_each(|item| needs(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| needs(field, found)),
        _ => {}
    }
}

/// The only entry of an operator object.
pub(super) fn single_entry(expression: &Value) -> Option<(String, Value)> {
    let fields = expression.as_object().filter(|fields| fields.len() == 1)?;
    fields
        .iter()
        .next()
        .map(|(key, value)| (key.clone(), value.clone()))
}

fn variable_of(expression: &Value) -> Option<Variable> {
    expression
        .get("Var")
        .and_then(Value::as_str)
        .and_then(Variable::named)
}

fn attribute_of(expression: &Value) -> Option<Attribute> {
    let body = expression.get(".")?;
    Attribute::named(variable_of(&body["left"])?, body["attr"].as_str()?)
}

pub(super) fn subject_of(expression: &Value) -> Option<Subject> {
    attribute_of(expression).and_then(Subject::of)
}

fn literal_of(expression: &Value) -> Option<&Value> {
    expression
        .get("Value")
        .filter(|value| !value.is_object() && !value.is_array())
}

pub(super) fn like_parts(pattern: &Value) -> Option<Vec<LikePart>> {
    let mut parts: Vec<LikePart> = Vec::new();
    for element in pattern.as_array()? {
        if element.as_str() == Some("Wildcard") {
            parts.push(LikePart::Any);
        } else {
            let text = element.get("Literal")?.as_str()?;
            match parts.last_mut() {
                Some(LikePart::Text(so_far)) => so_far.push_str(text),
                _ => parts.push(LikePart::Text(text.to_owned())),
            }
        }
    }
    Some(parts)
}
