//! One document: `apiVersion`, `kind`, `metadata`, `spec`.

mod rules;

use std::collections::BTreeMap;

use super::fields::{Fields, Findings};
use super::load::LoadOptions;
use super::parse::{Document, join};
use super::problem::Problem;
use super::rule::Policy;
use super::tree::{Node, Place, Value, shortened};

pub use rules::{AGENT_TYPES_MAX, BINARIES_MAX, FIELDS as RULE_FIELDS, NETWORKS_MAX, RULES_MAX};

/// The only `apiVersion`.
pub const API_VERSION: &str = "tyr.dev/v1";
/// The only `kind`.
pub const KIND: &str = "Policy";
/// Longest name of a policy or rule, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 4_096;
/// Most labels.
pub const LABELS_MAX: usize = 64;
/// Longest label key or value, in characters.
pub const LABEL_CHARS_MAX: usize = 256;

/// Fields of a document.
pub const ROOT_FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
/// Fields of `metadata`.
pub const METADATA_FIELDS: [&str; 3] = ["name", "labels", "description"];
/// Fields of `spec`.
pub const SPEC_FIELDS: [&str; 1] = ["rules"];

/// Where a field belongs that stands in the wrong place.
const ELSEWHERE: [(&str, &str); 4] = [
    ("rules", "in `spec`"),
    ("name", "in `metadata`"),
    ("labels", "in `metadata`"),
    ("description", "in `metadata`"),
];

/// The policy, with the place of its name, unless a problem that is no warning stands in the way.
pub(super) fn read(
    document: &Document,
    options: &LoadOptions<'_>,
) -> (Option<(Policy, Place)>, Vec<Problem>) {
    let mut findings = Findings::default();
    let policy = read_root(&mut findings, document, options);
    let refused = findings.problems.iter().any(|problem| !problem.warning);
    (policy.filter(|_| !refused), findings.problems)
}

fn read_root(
    findings: &mut Findings,
    document: &Document,
    options: &LoadOptions<'_>,
) -> Option<(Policy, Place)> {
    let root = findings.fields(&document.root, "", &ROOT_FIELDS, &ELSEWHERE)?;
    constant(findings, &root, "apiVersion", API_VERSION);
    constant(findings, &root, "kind", KIND);
    let metadata = findings
        .required(&root, "metadata")
        .and_then(|(node, path)| read_metadata(findings, node, &path));
    let rules = findings.required(&root, "spec").and_then(|(node, path)| {
        let spec = findings.fields(node, &path, &SPEC_FIELDS, &ELSEWHERE)?;
        let (node, path) = findings.required(&spec, "rules")?;
        Some(rules::read(
            findings,
            node,
            &path,
            document.first_line,
            options,
        ))
    });
    let (name, place, labels, description) = metadata?;
    let (rules, disabled) = rules?;
    Some((
        Policy {
            name,
            description,
            labels,
            rules,
            disabled,
        },
        place,
    ))
}

fn constant(findings: &mut Findings, root: &Fields<'_>, name: &str, expected: &str) {
    let Some((node, path)) = findings.required(root, name) else {
        return;
    };
    let Some(text) = findings.text(node, &path) else {
        return;
    };
    if text.value != expected {
        let message = format!("\"{}\" is not supported", shortened(&text.value));
        findings.refuse(
            node.place,
            &path,
            &message,
            &format!("write `{name}: {expected}`"),
        );
    }
}

type Metadata = (String, Place, BTreeMap<String, String>, String);

fn read_metadata(findings: &mut Findings, node: &Node, path: &str) -> Option<Metadata> {
    let fields = findings.fields(node, path, &METADATA_FIELDS, &ELSEWHERE[..1])?;
    let name = findings.required(&fields, "name").and_then(|(node, path)| {
        findings
            .name(node, &path, NAME_CHARS_MAX)
            .map(|name| (name, node.place))
    });
    let labels = fields
        .optional("labels")
        .map(|(node, path)| read_labels(findings, node, &path));
    let description = fields
        .optional("description")
        .and_then(|(node, path)| read_description(findings, node, &path));
    let (name, place) = name?;
    Some((
        name,
        place,
        labels.unwrap_or_default(),
        description.unwrap_or_default(),
    ))
}

fn read_description(findings: &mut Findings, node: &Node, path: &str) -> Option<String> {
    let text = &findings.text(node, path)?.value;
    let count = text.chars().count();
    if count > DESCRIPTION_CHARS_MAX {
        let message =
            format!("description has {count} characters: at most {DESCRIPTION_CHARS_MAX}");
        findings.refuse(node.place, path, &message, "");
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        findings.refuse(
            node.place,
            path,
            "description has a control character",
            "remove it",
        );
    }
    Some(text.trim_end().to_owned())
}

fn read_labels(findings: &mut Findings, node: &Node, path: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Value::Mapping(entries) = &node.value else {
        findings.fields(node, path, &[], &[]);
        return labels;
    };
    if entries.len() > LABELS_MAX {
        let message = format!("policy has {} labels: at most {LABELS_MAX}", entries.len());
        findings.refuse(node.place, path, &message, "");
    }
    for entry in entries {
        let path = join(path, &entry.key);
        let bad = |text: &str| {
            text.chars().count() > LABEL_CHARS_MAX || text.chars().any(char::is_control)
        };
        let rule =
            format!("at most {LABEL_CHARS_MAX} characters, none of them a control character");
        if entry.key.is_empty() || bad(&entry.key) {
            findings.refuse(entry.key_place, &path, "label has no valid name", &rule);
        }
        let Some(text) = findings.text(&entry.node, &path) else {
            continue;
        };
        if bad(&text.value) {
            findings.refuse(entry.node.place, &path, "label has no valid value", &rule);
        }
        labels.insert(entry.key.clone(), text.value.clone());
    }
    labels
}
