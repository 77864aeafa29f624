//! Definitions of arguments → what a completion has to know of each command.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use crate::model::action::Action;
use crate::model::verdict::{Mode, Severity, Verdict};
use crate::policy::signatures::Signatures;

use super::Shell;

/// One command with all words that lead to it.
#[derive(Clone, Debug)]
pub struct Command {
    /// `tyr policy check`
    pub place: String,
    /// One sentence.
    pub about: String,
    /// Names and first sentences of its own commands.
    pub commands: Vec<(String, String)>,
    pub options: Vec<Opt>,
    pub positionals: Vec<Value>,
}

/// The places behind a program's own: those of its commands.
pub fn nested(commands: &[Command]) -> impl Iterator<Item = &str> {
    let places = commands.iter().map(|command| command.place.as_str());
    places.filter(|place| place.contains(' '))
}

/// One option.
#[derive(Clone, Debug)]
pub struct Opt {
    /// With its dashes.
    pub long: String,
    /// `-f`
    pub short: Option<String>,
    pub about: String,
    /// `None`: a switch.
    pub value: Option<Value>,
    /// Whether it may be given several times.
    pub repeats: bool,
}

/// What follows an option, or stands alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    File,
    Folder,
    /// One of these.
    Words(Vec<String>),
    /// Something that cannot be guessed, by its name.
    Other(String),
}

/// The command `name` and all below it, outermost first.
pub fn commands(name: &str, definition: &CommandInfoWithArgs) -> Vec<Command> {
    let inner = definition.commands.iter();
    let mut found = vec![Command {
        place: name.to_owned(),
        about: first_sentence(definition.description),
        commands: inner
            .clone()
            .map(|inner| {
                (
                    inner.name.to_owned(),
                    first_sentence(inner.command.description),
                )
            })
            .collect(),
        options: definition
            .flags
            .iter()
            .filter(|flag| !flag.hidden)
            .map(option)
            .collect(),
        positionals: definition
            .positionals
            .iter()
            .filter(|positional| !positional.hidden)
            .map(positional)
            .collect(),
    }];
    for inner in inner {
        found.extend(commands(&format!("{name} {}", inner.name), &inner.command));
    }
    found
}

fn option(flag: &FlagInfo) -> Opt {
    Opt {
        long: flag.long.to_owned(),
        short: flag.short.map(|short| format!("-{short}")),
        about: flag.description.to_owned(),
        value: match flag.kind {
            FlagInfoKind::Switch => None,
            FlagInfoKind::Option { arg_name } => Some(value(flag.long, arg_name)),
        },
        repeats: matches!(
            flag.optionality,
            Optionality::Repeating | Optionality::Greedy
        ),
    }
}

fn positional(positional: &PositionalInfo) -> Value {
    value(positional.name, &positional.name.to_lowercase())
}

/// By the name of the option or argument, then by what it is called in the help.
fn value(name: &str, called: &str) -> Value {
    match words(name) {
        Some(words) => Value::Words(words),
        None => match called {
            "file" => Value::File,
            "folder" => Value::Folder,
            other => Value::Other(other.to_owned()),
        },
    }
}

/// Every word that an option takes, when there are few.
fn words(name: &str) -> Option<Vec<String>> {
    let owned = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    match name {
        "--output" => owned(&["table", "json"]),
        "--verdict" => owned(&[Verdict::Allow, Verdict::Alert, Verdict::Deny].map(Verdict::name)),
        "--action" => owned(&Action::ALL.map(Action::name)),
        "--severity" => owned(
            &[
                Severity::Low,
                Severity::Medium,
                Severity::High,
                Severity::Critical,
            ]
            .map(Severity::name),
        ),
        "--mode" => owned(&[Mode::Enforce, Mode::Monitor].map(Mode::name)),
        "--role" => owned(&["cli", "server", "daemon", "all"]),
        "--engine" => owned(&["evaluator", "kernel", "both"]),
        "--kind" => owned(&[
            "operation",
            "agent_started",
            "agent_ended",
            "lost",
            "policy_applied",
            "alarm",
        ]),
        "--agent" | "--agent-type" => {
            let mut ids: Vec<String> = Signatures::builtin().ids().map(str::to_owned).collect();
            ids.sort();
            Some(ids)
        }
        "shell" => owned(&Shell::ALL.map(Shell::name)),
        _ => None,
    }
}

/// Up to the first period that ends a sentence, without it.
pub fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let end = text.find(". ").unwrap_or(text.len());
    text[..end].trim_end_matches('.').to_owned()
}
