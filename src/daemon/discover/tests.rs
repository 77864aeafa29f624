use std::fs;
use std::path::Path;

use super::{Running, discover};
use crate::daemon::procfs::Procfs;
use crate::policy::signatures::Signatures;

const OWN: u32 = 900;

struct Proc<'a> {
    pid: u32,
    parent: u32,
    exe: &'a str,
    cmdline: &'a str,
    maps: &'a str,
    cgroup: &'a str,
}

const SHELL: Proc<'static> = Proc {
    pid: 0,
    parent: 1,
    exe: "/bin/bash",
    cmdline: "bash\0",
    maps: "",
    cgroup: "/",
};
const CLAUDE: &str = "/usr/lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe";

fn add(root: &Path, process: &Proc<'_>) {
    let dir = root.join(process.pid.to_string());
    fs::create_dir_all(&dir).unwrap();
    let (pid, parent) = (process.pid, process.parent);
    let stat = format!("{pid} (x) S {parent} 1 1 0 1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0");
    fs::write(dir.join("stat"), stat).unwrap();
    fs::write(dir.join("status"), "Name:\tx\nUid:\t1000\t0\t0\t0\n").unwrap();
    fs::write(dir.join("cmdline"), process.cmdline).unwrap();
    fs::write(dir.join("maps"), process.maps).unwrap();
    fs::write(dir.join("cgroup"), format!("0::{}\n", process.cgroup)).unwrap();
    std::os::unix::fs::symlink(process.exe, dir.join("exe")).unwrap();
    std::os::unix::fs::symlink("/", dir.join("cwd")).unwrap();
}

/// (pid, agent type, uid) of what is found.
fn found(processes: &[Proc<'_>], scope: Option<&str>) -> Vec<(u32, String, u32)> {
    let found = running(processes, scope).agents.into_iter();
    found
        .map(|agent| (agent.pid, agent.agent_types.join(" > "), agent.uid))
        .collect()
}

fn running(processes: &[Proc<'_>], scope: Option<&str>) -> Running {
    let dir = tempfile::tempdir().unwrap();
    for process in processes {
        add(dir.path(), process);
    }
    discover(&Procfs::at(dir.path()), &Signatures::builtin(), scope, OWN)
}

fn claude(pid: u32) -> (u32, String, u32) {
    (pid, "claude-code".to_owned(), 1000)
}

#[test]
fn an_agent_is_found_by_its_executable_and_its_children_are_its_own() {
    let processes = [
        Proc {
            pid: 10,
            exe: CLAUDE,
            ..SHELL
        },
        Proc {
            pid: 11,
            parent: 10,
            ..SHELL
        },
        Proc {
            pid: 12,
            parent: 11,
            exe: CLAUDE,
            ..SHELL
        },
        Proc { pid: 20, ..SHELL },
    ];
    assert_eq!(found(&processes, None), [claude(10)]);
}

#[test]
fn an_interpreter_is_an_agent_by_what_it_has_mapped() {
    let maps = "7f0-7f1 r--p 00000000 08:01 9 /venv/lib/python3.11/site-packages/langgraph/x.so\n";
    let processes = [
        Proc {
            pid: 10,
            exe: "/usr/bin/python3.11",
            maps,
            ..SHELL
        },
        Proc {
            pid: 11,
            exe: "/usr/bin/python3.11",
            ..SHELL
        },
        Proc {
            pid: 12,
            exe: "/usr/bin/cat",
            maps,
            ..SHELL
        },
    ];
    let found = found(&processes, None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1.as_str()), (10, "langgraph"));
}

#[test]
fn agents_inside_agents_have_all_types_outermost_first() {
    let maps = "7f0-7f1 r--p 00000000 08:01 9 /venv/lib/python3.11/site-packages/langgraph/x.so\n";
    let python = Proc {
        exe: "/usr/bin/python3.11",
        ..SHELL
    };
    let processes = [
        Proc {
            pid: 10,
            exe: CLAUDE,
            ..SHELL
        },
        Proc {
            pid: 11,
            parent: 10,
            ..SHELL
        },
        Proc {
            pid: 12,
            parent: 11,
            maps,
            ..python
        },
        // The same type again belongs to the one around it, whatever lies between.
        Proc {
            pid: 13,
            parent: 12,
            exe: CLAUDE,
            ..SHELL
        },
        Proc {
            pid: 14,
            parent: 13,
            ..python
        },
    ];
    let seen = running(&processes, None);
    let agents: Vec<(u32, Vec<&str>, Option<u32>)> = seen
        .agents
        .iter()
        .map(|agent| {
            let types = agent.agent_types.iter().map(String::as_str);
            (agent.pid, types.collect(), agent.around)
        })
        .collect();
    let expected = [
        (10, vec!["claude-code"], None),
        (12, vec!["claude-code", "langgraph"], Some(10)),
    ];
    assert_eq!(agents, expected);
    assert_eq!(seen.interpreters, [14], "it may still become an agent");
}

#[test]
fn an_interpreter_is_an_agent_by_its_script() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("@google/gemini-cli/bundle");
    fs::create_dir_all(&bundle).unwrap();
    fs::write(bundle.join("gemini.js"), "").unwrap();
    let link = dir.path().join("gemini");
    std::os::unix::fs::symlink(bundle.join("gemini.js"), &link).unwrap();
    let cmdline = format!("node\0--max-old-space-size=1\0{}\0-p\0hi\0", link.display());
    let processes = [Proc {
        pid: 10,
        exe: "/usr/bin/node",
        cmdline: &cmdline,
        ..SHELL
    }];
    let found = found(&processes, None);
    assert_eq!((found[0].0, found[0].1.as_str()), (10, "gemini-cli"));
}

#[test]
fn only_the_scope_is_looked_at() {
    let processes = [
        Proc {
            pid: 10,
            exe: CLAUDE,
            cgroup: "/canary",
            ..SHELL
        },
        Proc {
            pid: 11,
            exe: CLAUDE,
            cgroup: "/canary/deep",
            ..SHELL
        },
        Proc {
            pid: 12,
            exe: CLAUDE,
            cgroup: "/canary2",
            ..SHELL
        },
        Proc {
            pid: 13,
            exe: CLAUDE,
            ..SHELL
        },
    ];
    assert_eq!(found(&processes, Some("/canary")), [claude(10), claude(11)]);
}

#[test]
fn the_agent_that_started_the_daemon_is_left_out() {
    let processes = [
        Proc {
            pid: 10,
            exe: CLAUDE,
            ..SHELL
        },
        Proc {
            pid: 11,
            parent: 10,
            ..SHELL
        },
        Proc {
            pid: OWN,
            parent: 11,
            ..SHELL
        },
        Proc {
            pid: 30,
            exe: CLAUDE,
            ..SHELL
        },
    ];
    assert_eq!(found(&processes, None), [claude(30)]);
}
