//! Agents are found when they start, before their first instruction.

use std::time::{Duration, Instant};

use libc::EPERM;
use tyr::kernel::record::Record;

use tyr::kernel::load::{LoadOptions, Programs, Scope};
use tyr::kernel::object::EnforcementMode;

use crate::guest::*;
use crate::syscall::*;

/// A program at `path` that is a copy of another.
fn install_program(from: &str, path: &str) {
    std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    std::fs::copy(from, path).unwrap();
}

fn started() -> Vec<(u32, Vec<u8>)> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let found = records(|record| match record {
            Record::AgentStarted(_, program) => {
                Some((program.agent_type, program.file.path.clone()))
            }
            _ => None,
        });
        if !found.is_empty() || Instant::now() > end {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_agent_is_known_by_its_executable() {
    let agent = "/tmp/vm/recognise/node_modules/@anthropic-ai/claude-code/bin/claude.exe";
    fill(&folder("recognise"), &["secret"]);
    install_program("/usr/bin/cat", agent);
    let _turn = policy(&deny("file_read", "/tmp/vm/recognise/secret"));
    let status = as_stranger(|| run(agent, &["claude", "/tmp/vm/recognise/secret"]));
    assert_eq!(status, 1, "cat was denied");
    let number = u32::from(GUEST.signatures.number(AGENT).unwrap());
    let shown = started();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].0, number);
    assert!(shown[0].1.ends_with(b"/claude.exe"), "{shown:?}");
    denied("/tmp/vm/recognise/secret");
    let sessions = GUEST.programs.sessions().unwrap();
    assert!(
        sessions
            .iter()
            .any(|(_, session)| session.types == [number])
    );
}

#[test]
fn an_interpreter_becomes_an_agent_by_what_it_opens() {
    let dir = folder("framework");
    fill(&dir, &["secret"]);
    let site = dir.join("lib/python3.11/site-packages/langgraph");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("__init__.py"), "").unwrap();
    std::fs::create_dir(site.join("graph")).unwrap();
    std::fs::write(site.join("graph/__init__.py"), "").unwrap();
    let _turn = policy(&deny("file_read", "/tmp/vm/framework/secret"));
    let script = "import sys
sys.path.insert(0, '/tmp/vm/framework/lib/python3.11/site-packages')
open('/tmp/vm/framework/secret').close()
import langgraph.graph
try:
    open('/tmp/vm/framework/secret')
except PermissionError:
    sys.exit(7)
";
    let status = as_stranger(|| run("/usr/bin/python3", &["python3", "-c", script]));
    assert_eq!(status, 7, "free before the import, denied after it");
    let number = u32::from(GUEST.signatures.number("langgraph").unwrap());
    assert_eq!(started()[0].0, number);
    assert_eq!(as_stranger(|| read("/tmp/vm/framework/secret")), 0);
    assert_eq!(EPERM, as_agent(|| read("/tmp/vm/framework/secret")));
}

#[test]
fn an_agent_inside_an_agent_is_both() {
    let codex = "/tmp/vm/nested/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";
    fill(&folder("nested"), &["secret"]);
    install_program("/usr/bin/cat", codex);
    // Only the outer agent's type is denied; being codex as well does not loosen it.
    let rule = deny("file_read", "/tmp/vm/nested/secret");
    let _turn = policy(&rule.replace(
        "    verdict: deny",
        &format!("    agent_types: [{AGENT}]\n    verdict: deny"),
    ));
    let number = |id| u32::from(GUEST.signatures.number(id).unwrap());
    assert_eq!(
        as_agent(|| run(codex, &["codex", "/tmp/vm/nested/secret"])),
        1
    );
    assert_eq!(
        as_stranger(|| run(codex, &["codex", "/tmp/vm/nested/secret"])),
        0
    );
    let sessions = GUEST.programs.sessions().unwrap();
    let both = [number(AGENT), number("codex")];
    let (_, nested) = sessions
        .iter()
        .find(|(_, session)| session.types == both)
        .unwrap();
    assert!(sessions.iter().any(|(number, _)| *number == nested.parent));
}

#[test]
fn agents_outside_the_scope_are_left_alone() {
    let agent = "/tmp/vm/scope/node_modules/@anthropic-ai/claude-code/bin/claude.exe";
    fill(&folder("scope"), &["secret"]);
    install_program("/usr/bin/cat", agent);
    let cgroup = std::path::Path::new("/sys/fs/cgroup/tyr-scope");
    std::fs::create_dir_all(cgroup.join("below")).unwrap();
    let _turn = policy(&deny("exec", "/nowhere"));
    let options = LoadOptions {
        pin_dir: None,
        scope: Some(Scope::of(cgroup).unwrap()),
        mode_limit: EnforcementMode::Lsm,
    };
    let programs = Programs::load(&options).unwrap();
    install_in(&programs, &deny("file_read", "/tmp/vm/scope/secret"));
    let show = |cgroup: &str| {
        std::fs::write(format!("{cgroup}/cgroup.procs"), "0").unwrap();
        run(agent, &["claude", "/tmp/vm/scope/secret"])
    };
    assert_eq!(as_stranger(|| show("/sys/fs/cgroup")), 0, "outside");
    assert_eq!(as_stranger(|| show("/sys/fs/cgroup/tyr-scope")), 1, "in it");
    assert_eq!(
        as_stranger(|| show("/sys/fs/cgroup/tyr-scope/below")),
        1,
        "below it"
    );
    assert_eq!(programs.sessions().unwrap().len(), 2);
}
