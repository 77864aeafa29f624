//! `tyr completion bash|zsh|fish`: what a shell needs to complete Tyr's commands and options.
//!
//! Made from the definitions that the arguments are parsed by, so that the two cannot differ.

mod bash;
mod fish;
pub mod shape;
mod zsh;

use std::str::FromStr;

use argh::{ArgsInfo, CommandInfoWithArgs, FromArgs};

use crate::exit::Exit;
use crate::process::Process;

use super::{Outcome, write};
use shape::Command;

/// Print the completions of a shell.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "completion")]
pub struct Args {
    /// bash, zsh or fish
    #[argh(positional)]
    shell: Shell,
}

/// A shell that Tyr has completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub const ALL: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        }
    }
}

impl FromStr for Shell {
    type Err = String;

    fn from_str(text: &str) -> Result<Shell, String> {
        Shell::ALL
            .into_iter()
            .find(|shell| shell.name() == text)
            .ok_or_else(|| format!("`{text}` is not bash, zsh or fish"))
    }
}

/// A name that Tyr can be called by, and what it takes.
pub type Program = (&'static str, CommandInfoWithArgs);

/// Prints the completions of `programs`.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn run(process: &mut Process, args: &Args, programs: &[Program]) -> Outcome {
    write(process, &script(args.shell, programs))?;
    Ok(Exit::Ok)
}

/// The completions of `programs` for one shell.
pub fn script(shell: Shell, programs: &[Program]) -> String {
    let commands: Vec<Command> = programs
        .iter()
        .flat_map(|(name, definition)| shape::commands(name, definition))
        .collect();
    match shell {
        Shell::Bash => bash::script(&commands),
        Shell::Zsh => zsh::script(&commands),
        Shell::Fish => fish::script(&commands),
    }
}

#[cfg(test)]
mod tests;
