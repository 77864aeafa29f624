//! The rules of a document: each field alone, then which fields go with which action.

use std::collections::HashMap;

use ipnet::IpNet;

use crate::model::action::Action;
use crate::model::verdict::Verdict;
use crate::policy::agent_types;
use crate::policy::condition::Condition;
use crate::policy::fields::{Fields, Findings};
use crate::policy::load::LoadOptions;
use crate::policy::network::{self, AddressMatch};
use crate::policy::pattern::Pattern;
use crate::policy::rule::{Match, Rule};
use crate::policy::sni::ServerNamePattern;
use crate::policy::tree::{Node, Place, Value, shortened};

use super::{NAME_CHARS_MAX, read_description};

/// Most rules in a policy.
pub const RULES_MAX: usize = 20_000;
/// Most items of `binaries` in a rule.
pub const BINARIES_MAX: usize = 1_000;
/// Most items of `agent_types` in a rule.
pub const AGENT_TYPES_MAX: usize = 256;
/// Most items of `cidr_allow` or `cidr_deny` in a rule.
pub const NETWORKS_MAX: usize = 10_000;

/// Fields of a rule.
pub const FIELDS: [&str; 13] = [
    "name",
    "description",
    "enabled",
    "action",
    "resource_pattern",
    "verdict",
    "severity",
    "binaries",
    "agent_types",
    "cidr_allow",
    "cidr_deny",
    "sni_pattern",
    "condition",
];
const ACTIONS: [&str; 5] = [
    "file_read",
    "file_write",
    "exec",
    "net_connect",
    "tls_connect",
];
const VERDICTS: [&str; 3] = ["allow", "deny", "alert"];
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// Every rule that could be read: those that hold, and those that are switched off. `first_line`
/// is where the document begins in its file.
pub(super) fn read(
    findings: &mut Findings,
    node: &Node,
    path: &str,
    first_line: u32,
    options: &LoadOptions<'_>,
) -> (Vec<Rule>, Vec<Rule>) {
    let items = match &node.value {
        // `rules:` with nothing after it: the list is required and may be empty.
        Value::Null => &[][..],
        Value::Sequence(items) => items,
        _ => {
            findings.list(node, path, RULES_MAX, "");
            return Default::default();
        }
    };
    if items.len() > RULES_MAX {
        let message = format!("policy has {} rules: at most {RULES_MAX}", items.len());
        findings.refuse(node.place, path, &message, "split it into several policies");
        return Default::default();
    }
    let mut names: HashMap<String, Place> = HashMap::new();
    let (mut rules, mut disabled) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(fields) = findings.fields(item, &path, &FIELDS, &[]) else {
            continue;
        };
        check_unique(findings, &fields, &mut names);
        if let Some(mut rule) = read_rule(findings, &fields, options) {
            rule.line = (item.place.line + 1).saturating_sub(first_line);
            match read_enabled(findings, &fields) {
                true => rules.push(rule),
                false => disabled.push(rule),
            }
        }
    }
    (rules, disabled)
}

/// A value that is none is reported, so it does not matter which one it counts as.
fn read_enabled(findings: &mut Findings, fields: &Fields<'_>) -> bool {
    let Some((node, path)) = fields.optional("enabled") else {
        return true;
    };
    match node.value {
        Value::Bool(enabled) => enabled,
        _ => {
            findings.wrong_type(node, &path, "true or false");
            true
        }
    }
}

fn check_unique(findings: &mut Findings, fields: &Fields<'_>, names: &mut HashMap<String, Place>) {
    let Some((node, path)) = fields.optional("name") else {
        return;
    };
    let Value::Text(name) = &node.value else {
        return;
    };
    if let Some(first) = names.get(&name.value) {
        let name = shortened(&name.value);
        let message = format!(
            "rule `{name}` is in this policy twice, first in line {}",
            first.line
        );
        findings.refuse(
            node.place,
            &path,
            &message,
            "give each rule a name of its own",
        );
    } else {
        names.insert(name.value.clone(), node.place);
    }
}

fn read_rule(
    findings: &mut Findings,
    fields: &Fields<'_>,
    options: &LoadOptions<'_>,
) -> Option<Rule> {
    let name = findings
        .required(fields, "name")
        .and_then(|(node, path)| findings.name(node, &path, NAME_CHARS_MAX));
    let action: Option<Action> = findings
        .required(fields, "action")
        .and_then(|(node, path)| findings.word(node, &path, &ACTIONS));
    let verdict: Option<Verdict> = findings
        .required(fields, "verdict")
        .and_then(|(node, path)| findings.word(node, &path, &VERDICTS));
    let description = fields
        .optional("description")
        .and_then(|(node, path)| read_description(findings, node, &path));
    let severity = fields
        .optional("severity")
        .and_then(|(node, path)| findings.word(node, &path, &SEVERITIES));
    let binaries = read_binaries(findings, fields);
    let agent_types = read_agent_types(findings, fields, options);
    let matches = read_match(findings, fields, action, verdict);
    let condition = fields
        .optional("condition")
        .and_then(|(node, path)| read_condition(findings, node, &path, action));
    Some(Rule {
        name: name?,
        description: description.unwrap_or_default(),
        action: action?,
        verdict: verdict?,
        severity: severity.unwrap_or_default(),
        binaries,
        agent_types,
        matches: matches?,
        condition,
        line: 0,
    })
}

fn read_binaries(findings: &mut Findings, fields: &Fields<'_>) -> Vec<Pattern> {
    let Some((node, path)) = fields.optional("binaries") else {
        return Vec::new();
    };
    let help = "leave the field out to bind every binary";
    let items = findings.list(node, &path, BINARIES_MAX, help);
    items
        .iter()
        .filter_map(|(node, path)| read_pattern(findings, node, path))
        .collect()
}

fn read_agent_types(
    findings: &mut Findings,
    fields: &Fields<'_>,
    options: &LoadOptions<'_>,
) -> Vec<String> {
    let Some((node, path)) = fields.optional("agent_types") else {
        return Vec::new();
    };
    let help = "leave the field out to bind every agent";
    let mut types = Vec::new();
    for (node, path) in findings.list(node, &path, AGENT_TYPES_MAX, help) {
        let Some(id) = findings.name(node, &path, NAME_CHARS_MAX) else {
            continue;
        };
        if let Some(help) = agent_types::unknown(&id, options.agent_types) {
            let message = format!("no signature has the agent type `{}`", shortened(&id));
            findings.warn(node.place, &path, &message, &help);
        }
        types.push(id);
    }
    types
}

/// What the rule matches, by its action. Without an action only the fields are checked.
fn read_match(
    findings: &mut Findings,
    fields: &Fields<'_>,
    action: Option<Action>,
    verdict: Option<Verdict>,
) -> Option<Match> {
    let pattern = fields
        .optional("resource_pattern")
        .map(|(node, path)| read_pattern(findings, node, &path));
    let allow = read_networks(findings, fields, "cidr_allow");
    let deny = read_networks(findings, fields, "cidr_deny");
    let sni = fields
        .optional("sni_pattern")
        .map(|(node, path)| read_server_name(findings, node, &path));
    let action = action?;
    check_fields_of_action(findings, fields, action);
    match action {
        Action::FileRead | Action::FileWrite | Action::Exec => {
            // A rule that says by its condition what it is about may leave the pattern out.
            if pattern.is_none() && fields.entry("condition").is_some() {
                return Pattern::parse("*")
                    .ok()
                    .map(|every| Match::Path(vec![every]));
            }
            if pattern.is_none() {
                let path = format!("{}.resource_pattern", fields.path);
                let message = format!("field `resource_pattern` is missing: {action} needs it");
                findings.refuse(fields.place, &path, &message, "write `*` for every path");
            }
            Some(Match::Path(vec![pattern??]))
        }
        Action::NetConnect => Some(Match::Address(AddressMatch::new(verdict?, allow, deny))),
        Action::TlsConnect => match sni {
            Some(sni) => Some(Match::ServerName(Some(sni?))),
            None => Some(Match::ServerName(None)),
        },
    }
}

/// Refuses what the action would ignore.
fn check_fields_of_action(findings: &mut Findings, fields: &Fields<'_>, action: Action) {
    let help = match action {
        Action::NetConnect => "use cidr_allow and cidr_deny for net_connect",
        Action::TlsConnect => "use sni_pattern for tls_connect",
        _ => "use resource_pattern",
    };
    let unfit = [
        ("resource_pattern", action.takes_path()),
        ("cidr_allow", action == Action::NetConnect),
        ("cidr_deny", action == Action::NetConnect),
        ("sni_pattern", action == Action::TlsConnect),
    ];
    for (field, fits) in unfit {
        if let Some(entry) = fields.entry(field).filter(|_| !fits) {
            let path = format!("{}.{field}", fields.path);
            let message = format!("`{field}` does not go with {action}");
            findings.refuse(entry.key_place, &path, &message, help);
        }
    }
}

fn read_pattern(findings: &mut Findings, node: &Node, path: &str) -> Option<Pattern> {
    let text = &findings.text(node, path)?.value;
    Pattern::parse(text)
        .map_err(|error| {
            findings.refuse(node.place_in_text(error.offset), path, &error.message, "");
        })
        .ok()
}

fn read_server_name(findings: &mut Findings, node: &Node, path: &str) -> Option<ServerNamePattern> {
    let text = &findings.text(node, path)?.value;
    ServerNamePattern::parse(text)
        .map_err(|error| {
            findings.refuse(node.place_in_text(error.offset), path, &error.message, "");
        })
        .ok()
}

fn read_networks(findings: &mut Findings, fields: &Fields<'_>, name: &str) -> Vec<IpNet> {
    let Some((node, path)) = fields.optional(name) else {
        return Vec::new();
    };
    let help = "leave the field out, or list a network such as 0.0.0.0/0";
    let mut networks = Vec::new();
    for (node, path) in findings.list(node, &path, NETWORKS_MAX, help) {
        let Some(text) = findings.text(node, &path) else {
            continue;
        };
        match network::parse_cidr(&text.value) {
            Ok(network) => networks.push(network),
            Err(error) => findings.refuse(node.place, &path, &error.message, &error.help),
        }
    }
    networks
}

fn read_condition(
    findings: &mut Findings,
    node: &Node,
    path: &str,
    action: Option<Action>,
) -> Option<Condition> {
    let text = &findings.text(node, path)?.value;
    // Which attributes exist depends on the action, whose own mistake is reported already.
    let errors = match Condition::parse(text, action?) {
        Ok(condition) => return Some(condition),
        Err(errors) => errors,
    };
    for error in errors {
        let place = node.place_in_text(error.offset);
        findings.refuse(place, path, &error.message, &error.help);
    }
    None
}
