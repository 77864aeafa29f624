//! Completions for zsh: `_arguments` for what the words so far lead to.

use std::fmt::Write;

use super::shape::{Command, Opt, Value, nested};

const HEAD: &str = r#"# Completions of tyr, tyr-server and tyrd for zsh, as `tyr completion zsh` prints them.

_tyr() {
    local place=${service:-${words[1]:t}}
    local -i at
    local -a commands
    for (( at = 2; at < CURRENT; at++ )); do
        case "$place ${words[at]}" in
"#;

const TAIL: &str = r#"    esac
}

# Read by `compinit` this is the function itself; read as a file it is a definition.
if [[ $funcstack[1] == _tyr ]]; then
    _tyr "$@"
else
    compdef _tyr PROGRAMS
fi
"#;

/// The whole file.
pub(super) fn script(commands: &[Command]) -> String {
    let mut programs: Vec<&str> = commands
        .iter()
        .filter_map(|command| command.place.split(' ').next())
        .collect();
    programs.dedup();
    let programs = programs.join(" ");
    let mut text = format!("#compdef {programs}\n{HEAD}");
    let places: Vec<String> = nested(commands)
        .map(|place| format!("\"{place}\""))
        .collect();
    let joined = places.join(" | \\\n            ");
    let _ = writeln!(
        text,
        "        ({joined})\n            place+=\" ${{words[at]}}\"\n            ;;\n        (*) break ;;\n        esac\n    done"
    );
    // What is left is completed as if it were the whole line.
    text.push_str("    words=(\"$place\" \"${(@)words[at,-1]}\")\n");
    text.push_str("    (( CURRENT -= at - 2 ))\n    case $place in\n");
    for command in commands {
        let _ = writeln!(text, "    (\"{}\")", command.place);
        if command.commands.is_empty() {
            arguments(&mut text, command);
        } else {
            subcommands(&mut text, command);
        }
        text.push_str("        ;;\n");
    }
    text.push_str(&TAIL.replace("PROGRAMS", &programs));
    text
}

fn subcommands(text: &mut String, command: &Command) {
    text.push_str("        commands=(\n");
    for (name, about) in &command.commands {
        let _ = writeln!(text, "            {}", quoted(&format!("{name}:{about}")));
    }
    text.push_str("        )\n        if [[ ${words[CURRENT]} == -* ]]; then\n");
    text.push_str("            _arguments -S '--help[display usage information]'\n");
    text.push_str("        else\n            _describe -t commands command commands\n        fi\n");
}

fn arguments(text: &mut String, command: &Command) {
    let mut specs: Vec<String> = command.options.iter().flat_map(option).collect();
    for value in &command.positionals {
        specs.push(format!("*{}", completed(value)));
    }
    let specs: Vec<String> = specs.iter().map(|spec| quoted(spec)).collect();
    let _ = writeln!(
        text,
        "        _arguments -S {}",
        specs.join(" \\\n            ")
    );
}

/// One for each name of the option.
fn option(option: &Opt) -> Vec<String> {
    let about = escaped(&option.about, "[]:");
    let several = if option.repeats { "*" } else { "" };
    match &option.value {
        None => names(option)
            .map(|name| format!("{several}{name}[{about}]"))
            .collect(),
        Some(value) => names(option)
            .map(|name| {
                let equals = if name.starts_with("--") { "=" } else { "" };
                format!("{several}{name}{equals}[{about}]{}", completed(value))
            })
            .collect(),
    }
}

fn names(option: &Opt) -> impl Iterator<Item = &String> {
    option.short.iter().chain([&option.long])
}

fn completed(value: &Value) -> String {
    match value {
        Value::File => ":file:_files".to_owned(),
        Value::Folder => ":folder:_files -/".to_owned(),
        Value::Words(words) => format!(":word:({})", words.join(" ")),
        Value::Other(name) => format!(":{}: ", escaped(name, ":")),
    }
}

fn escaped(text: &str, special: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if special.contains(character) || character == '\\' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
