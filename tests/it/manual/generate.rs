//! The parts of the pages that come from the definitions of the arguments.

use std::fmt::Write;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use tyr::applet::programs;

use super::page::Page;

/// Longest line of a source, in bytes.
const LINE_BYTES_MAX: usize = 78;

/// The page with every generated part made anew.
pub(super) fn renewed(page: &Page) -> String {
    let [tyr, server, daemon] = programs();
    let parts = match page.name {
        "tyr.1" => vec![("commands", commands(&tyr.1))],
        "tyr-server.8" => of_role(&server.1),
        "tyrd.8" => of_role(&daemon.1),
        _ => Vec::new(),
    };
    let mut text = page.text.clone();
    for (name, made) in parts {
        let (begin, end) = (
            format!(".\\\" begin {name}\n"),
            format!(".\\\" end {name}\n"),
        );
        let (before, rest) = text.split_once(&begin).expect("the page marks the part");
        let (_, after) = rest
            .split_once(&end)
            .expect("the page marks the part's end");
        text = format!("{before}{begin}{made}{end}{after}");
    }
    text
}

fn of_role(definition: &CommandInfoWithArgs) -> Vec<(&'static str, String)> {
    vec![
        ("synopsis", format!(".Nm\n{}", synopsis(definition))),
        ("options", options(definition)),
    ]
}

/// One subsection for each command that does something.
fn commands(tyr: &CommandInfoWithArgs) -> String {
    let mut text = String::new();
    for inner in &tyr.commands {
        // They have pages of their own.
        if !["server", "daemon"].contains(&inner.name) {
            command(&mut text, inner.name, &inner.command);
        }
    }
    text
}

fn command(text: &mut String, words: &str, definition: &CommandInfoWithArgs) {
    for inner in &definition.commands {
        command(text, &format!("{words} {}", inner.name), &inner.command);
    }
    if !definition.commands.is_empty() {
        return;
    }
    let _ = writeln!(text, ".Ss tyr {words}\n.Nm\n.Cm {words}");
    text.push_str(&synopsis(definition));
    text.push_str(".Pp\n");
    text.push_str(&prose(definition.description));
    if definition.flags.iter().any(is_shown) || !definition.positionals.is_empty() {
        text.push_str(&options(definition));
    }
}

fn is_shown(flag: &FlagInfo) -> bool {
    flag.long != "--help" && !flag.hidden
}

fn synopsis(definition: &CommandInfoWithArgs) -> String {
    let mut text = String::new();
    for flag in definition.flags.iter().filter(|flag| is_shown(flag)) {
        let written = written(flag);
        let _ = match flag.optionality {
            Optionality::Required => writeln!(text, ".{written}"),
            Optionality::Optional => writeln!(text, ".Op {written}"),
            Optionality::Repeating | Optionality::Greedy => writeln!(text, ".Op {written} ..."),
        };
    }
    for positional in definition.positionals {
        let name = positional.name.to_lowercase();
        let _ = match positional.optionality {
            Optionality::Required => writeln!(text, ".Ar {name}"),
            Optionality::Optional => writeln!(text, ".Op Ar {name}"),
            Optionality::Repeating | Optionality::Greedy => writeln!(text, ".Ar {name} ..."),
        };
    }
    text
}

/// The option with its value, as macros.
fn written(flag: &FlagInfo) -> String {
    let name = format!("Fl Fl {}", flag.long.trim_start_matches('-'));
    match flag.kind {
        FlagInfoKind::Switch => name,
        FlagInfoKind::Option { arg_name } => format!("{name} Ar {arg_name}"),
    }
}

fn options(definition: &CommandInfoWithArgs) -> String {
    let mut text = String::from(".Bl -tag -width Ds\n");
    for positional in definition.positionals {
        let _ = writeln!(text, ".It Ar {}", positional.name.to_lowercase());
        text.push_str(&prose(positional.description));
    }
    for flag in definition.flags.iter().filter(|flag| is_shown(flag)) {
        let short = flag
            .short
            .map_or(String::new(), |short| format!("Fl {short} , "));
        let _ = writeln!(text, ".It {short}{}", written(flag));
        text.push_str(&prose(flag.description));
    }
    text.push_str(".El\n");
    text
}

/// Text as a page has it: a sentence begins a line, lines are short, nothing is a macro.
fn prose(description: &str) -> String {
    let mut text = String::new();
    for (index, paragraph) in description.split("\n\n").enumerate() {
        if index > 0 {
            text.push_str(".Pp\n");
        }
        let whole = paragraph
            .split_whitespace()
            .collect::<Vec<&str>>()
            .join(" ");
        for sentence in whole.split_inclusive(". ") {
            lines(&mut text, sentence.trim_end());
        }
        if !text.ends_with(".\n") {
            text.insert(text.len() - 1, '.');
        }
    }
    text
}

fn lines(text: &mut String, sentence: &str) {
    let mut bold = false;
    let mut line = String::new();
    for (index, word) in sentence.split(' ').enumerate() {
        let mut word = word.replace('\\', "\\e");
        if index == 0 {
            let first = word.chars().next().map(|c| c.to_ascii_uppercase());
            word = first.into_iter().chain(word.chars().skip(1)).collect();
        }
        while let Some(at) = word.find('`') {
            word.replace_range(at..=at, if bold { "\\fR" } else { "\\fB" });
            bold = !bold;
        }
        if !line.is_empty() && line.len() + 1 + word.len() > LINE_BYTES_MAX {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
        if line.is_empty() {
            if word.starts_with(['.', '\'']) {
                line.push_str("\\&");
            }
        } else {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(text, "{line}");
}
