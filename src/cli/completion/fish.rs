//! Completions for fish: one line for each word that may follow.

use std::fmt::Write;

use super::shape::{Command, Value, nested};

const HEAD: &str = r#"# Completions of tyr, tyr-server and tyrd for fish, as `tyr completion fish` prints them.

# Whether the words so far lead to the command that is given.
function __tyr_at
    set -l words (commandline -opc)
    set -l place (string replace -r '.*/' '' -- $words[1])
    set -e words[1]
    for word in $words
        switch "$place $word"
"#;

const TAIL: &str = r#"                set place "$place $word"
        end
    end
    test "$place" = "$argv"
end
"#;

/// The whole file.
pub(super) fn script(commands: &[Command]) -> String {
    let mut text = HEAD.to_owned();
    let places: Vec<String> = nested(commands).map(quoted).collect();
    let _ = writeln!(
        text,
        "            case {}",
        places.join(" \\\n                ")
    );
    text.push_str(TAIL);
    let mut program = "";
    for command in commands {
        let first = command.place.split(' ').next().unwrap_or_default();
        if first != program {
            program = first;
            let _ = writeln!(text, "\ncomplete -c {program} -f");
        }
        lines(&mut text, program, command);
    }
    text
}

fn lines(text: &mut String, program: &str, command: &Command) {
    let condition = format!("complete -c {program} -n '__tyr_at {}'", command.place);
    for (name, about) in &command.commands {
        let _ = writeln!(text, "{condition} -a {name} -d {}", quoted(about));
    }
    for option in &command.options {
        let mut line = format!("{condition} -l {}", option.long.trim_start_matches('-'));
        // `-h` is understood everywhere.
        let short = match option.long.as_str() {
            "--help" => Some("-h"),
            _ => option.short.as_deref(),
        };
        if let Some(short) = short {
            let _ = write!(line, " -s {}", short.trim_start_matches('-'));
        }
        if let Some(value) = &option.value {
            line.push_str(&follows(value));
        }
        let _ = writeln!(text, "{line} -d {}", quoted(&option.about));
    }
    for value in &command.positionals {
        match value {
            Value::File | Value::Folder => {
                let _ = writeln!(text, "{condition} -F");
            }
            Value::Words(words) => {
                let _ = writeln!(text, "{condition} -a {}", quoted(&words.join(" ")));
            }
            Value::Other(_) => {}
        }
    }
}

fn follows(value: &Value) -> String {
    match value {
        Value::File => " -r -F".to_owned(),
        Value::Folder => " -x -a '(__fish_complete_directories)'".to_owned(),
        Value::Words(words) => format!(" -x -a {}", quoted(&words.join(" "))),
        Value::Other(_) => " -x".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
