//! Completions for bash, which need nothing but bash 4.4.

use std::fmt::Write;

use super::shape::{Command, Value, nested};

const HEAD: &str = r#"# Completions of tyr, tyr-server and tyrd for bash, as `tyr completion bash` prints them.

_tyr() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at
    local place=${COMP_WORDS[0]##*/} words='' kind=none
    COMPREPLY=()
    # Bash makes three words of --option=value.
    if [[ $word == '=' ]]; then
        word=''
    elif [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$place ${COMP_WORDS[at]}" in
"#;

const TAIL: &str = r#"    esac
    case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    folder)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        ;;
    esac
}
"#;

/// The whole file.
pub(super) fn script(commands: &[Command]) -> String {
    let mut text = HEAD.to_owned();
    let places: Vec<String> = nested(commands)
        .map(|place| format!("\"{place}\""))
        .collect();
    let joined = places.join(" | \\\n            ");
    let _ = writeln!(
        text,
        "        {joined})\n            place+=\" ${{COMP_WORDS[at]}}\"\n            ;;\n        esac\n    done"
    );
    text.push_str("    case \"$place $before\" in\n");
    for command in commands {
        values(&mut text, command);
    }
    text.push_str("    *)\n        case $place in\n");
    for command in commands {
        words(&mut text, command);
    }
    text.push_str("        esac\n        ;;\n");
    text.push_str(TAIL);
    let mut programs: Vec<&str> = commands
        .iter()
        .filter_map(|command| command.place.split(' ').next())
        .collect();
    programs.dedup();
    let _ = writeln!(text, "\ncomplete -F _tyr {}", programs.join(" "));
    text
}

/// What follows each option that takes a value.
fn values(text: &mut String, command: &Command) {
    for option in &command.options {
        let Some(value) = &option.value else { continue };
        let short = option.short.iter();
        let names: Vec<String> = std::iter::once(&option.long)
            .chain(short)
            .map(|name| format!("\"{} {name}\"", command.place))
            .collect();
        let _ = writeln!(text, "    {}) {} ;;", names.join(" | "), complete(value));
    }
}

/// What may stand where no value is due.
fn words(text: &mut String, command: &Command) {
    let options = command
        .options
        .iter()
        .flat_map(|option| option.short.iter().chain([&option.long]));
    let mut listed: Vec<&str> = command
        .commands
        .iter()
        .map(|(name, _)| name.as_str())
        .chain(options.map(String::as_str))
        .collect();
    let plain = command.positionals.first();
    if let Some(Value::Words(words)) = plain {
        listed.extend(words.iter().map(String::as_str));
    }
    let _ = writeln!(text, "        \"{}\")", command.place);
    let _ = writeln!(text, "            words='{}' kind=words", listed.join(" "));
    if let Some(value @ (Value::File | Value::Folder)) = plain {
        let _ = writeln!(
            text,
            "            [[ $word == -?* ]] || {}",
            complete(value).replace(";;", "")
        );
    }
    text.push_str("            ;;\n");
}

fn complete(value: &Value) -> String {
    match value {
        Value::File => "kind=file".to_owned(),
        Value::Folder => "kind=folder".to_owned(),
        Value::Words(words) => format!("words='{}' kind=words", words.join(" ")),
        Value::Other(_) => "kind=none".to_owned(),
    }
}
