//! Agents are found when they start, before their first instruction.

use std::time::{Duration, Instant};

use libc::EPERM;
use tyr::kernel::record::Record;

use crate::guest::*;
use crate::syscall::*;

/// A program at `path` that is a copy of another.
fn install_program(from: &str, path: &str) {
    std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    std::fs::copy(from, path).unwrap();
}

fn started() -> Vec<(u32, Vec<u8>)> {
    let end = Instant::now() + Duration::from_secs(5);
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
    assert!(sessions.iter().any(|(_, session)| session.types == [number]));
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
