//! `tyr policy`: check, apply and assign policies.

mod apply;
mod assign;
mod engines;
mod local;
mod switch;
mod versions;

use argh::{ArgsInfo, FromArgs};

use crate::process::Process;

use super::Outcome;

/// Check, apply, assign and explain policies.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "policy")]
pub struct Args {
    #[argh(subcommand)]
    verb: Verb,
}

#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand)]
enum Verb {
    Check(local::Check),
    Explain(local::Explain),
    Test(local::Test),
    Apply(apply::Apply),
    List(versions::List),
    Show(versions::Show),
    Diff(versions::Diff),
    History(versions::History),
    Rollback(versions::Rollback),
    Disable(switch::Disable),
    Enable(switch::Enable),
    Assign(assign::Assign),
    Unassign(assign::Unassign),
}

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    match &args.verb {
        Verb::Check(check) => local::check(process, check),
        Verb::Explain(explain) => local::explain(process, explain),
        Verb::Test(test) => local::test(process, test),
        Verb::Apply(apply) => apply::run(process, apply),
        Verb::List(list) => versions::list(process, list),
        Verb::Show(show) => versions::show(process, show),
        Verb::Diff(diff) => versions::diff(process, diff),
        Verb::History(history) => versions::history(process, history),
        Verb::Rollback(rollback) => versions::rollback(process, rollback),
        Verb::Disable(args) => switch::disable(process, args),
        Verb::Enable(args) => switch::enable(process, args),
        Verb::Assign(assign) => assign::assign(process, assign),
        Verb::Unassign(unassign) => assign::unassign(process, unassign),
    }
}
