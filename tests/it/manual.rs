//! The manual pages: their generated parts are those of the code, and what they list is what the
//! code knows, no more and no less.

mod generate;
mod page;
mod policy;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use argh::CommandInfoWithArgs;
use tyr::applet::programs;
use tyr::exit::Exit;

use crate::support::packaged::{check, root};
use page::{PAGES, Page};

/// Calls `each` for the definition and all below it.
fn walk(definition: &CommandInfoWithArgs, each: &mut impl FnMut(&CommandInfoWithArgs)) {
    each(definition);
    for inner in &definition.commands {
        walk(&inner.command, each);
    }
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn generated_parts_are_those_of_the_code() {
    for name in PAGES {
        let page = Page::read(name);
        check(&page.path, &generate::renewed(&page));
    }
}

#[test]
fn pages_are_clean() {
    for name in PAGES {
        let output = Command::new("mandoc")
            .args(["-T", "lint", "-W", "style"])
            .arg(Page::read(name).path)
            .output()
            .unwrap_or_else(|error| panic!("mandoc: {error}: run tests/setup.sh check"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        // Which other pages this machine has says nothing of ours; `references_lead_somewhere`
        // looks at those.
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains("referenced manual not found"))
            .filter(|line| !line.contains("outdated mandoc.db"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn options_exist() {
    let mut known = BTreeSet::new();
    for (_, definition) in programs() {
        walk(&definition, &mut |command| {
            known.extend(command.flags.iter().map(|flag| flag.long.to_owned()));
        });
    }
    for name in PAGES {
        for option in Page::read(name).long_options() {
            // Only to show how options are written.
            assert!(
                known.contains(&option) || option == "--option",
                "{name} names {option}"
            );
        }
    }
}

#[test]
fn every_option_is_named() {
    let pages = [("tyr.1", 0), ("tyr-server.8", 1), ("tyrd.8", 2)];
    for (name, index) in pages {
        let named = Page::read(name).long_options();
        let mut definition = programs()[index].1.clone();
        // They have pages of their own.
        definition
            .commands
            .retain(|inner| !["server", "daemon"].contains(&inner.name));
        walk(&definition, &mut |command| {
            for flag in command.flags {
                assert!(named.contains(flag.long), "{name} leaves out {}", flag.long);
            }
        });
    }
}

#[test]
fn exit_statuses_are_those_of_the_code() {
    let known = Exit::ALL.map(|exit| exit.code().to_string());
    let named = Page::read("tyr.1").items("EXIT STATUS");
    assert_eq!(named, set(known.iter().map(String::as_str)));
}

#[test]
fn fields_of_test_cases_are_those_of_the_code() {
    let named = Page::read("tyr.1").items("TEST CASES");
    assert_eq!(named, set(tyr::policy::suite::FIELDS));
}

/// Variables that the code reads, by the calls that read them.
#[test]
fn environment_variables_are_those_of_the_code() {
    let mut read = BTreeSet::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is part of the tree") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).expect("source is text");
                for call in [
                    "var(\"",
                    "var_os(\"",
                    "given(\"",
                    "ROLE: &str = \"",
                    "CONTAINER: &str = \"",
                ] {
                    for (_, rest) in text.match_indices(call).map(|(at, _)| text.split_at(at)) {
                        let name = rest[call.len()..].split('"').next().unwrap_or_default();
                        read.insert(name.to_owned());
                    }
                }
            }
        }
    }
    let named: BTreeSet<String> = PAGES
        .into_iter()
        .flat_map(|name| Page::read(name).variables())
        .collect();
    assert_eq!(named, read);
}

#[test]
fn references_lead_somewhere() {
    let system = ["chroot 2", "connect 2", "execve 2", "open 2", "openat 2"];
    for name in PAGES {
        for reference in Page::read(name).references() {
            let ours = PAGES.contains(&reference.replace(' ', ".").as_str());
            assert!(
                ours || system.contains(&reference.as_str()),
                "{name} refers to {reference}"
            );
        }
    }
}
