use crate::model::action::Action;
use crate::model::verdict::Verdict;
use crate::policy::compile::{Input, compile};
use crate::policy::evaluate::{Request, evaluate};
use crate::policy::explain::all_enforced;
use crate::policy::principal::Principal;
use crate::policy::question;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

use super::*;

fn deputies() -> Policy {
    let loaded = load(DEPUTIES, ALL[0].text.as_bytes(), &LoadOptions::default());
    let mut loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems[0]));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.policies.len(), 1);
    loaded.policies.remove(0).policy
}

#[test]
fn every_rule_says_why_and_the_text_has_a_number() {
    let policy = deputies();
    assert_eq!(policy.name, DEPUTIES);
    assert!(number(&policy) > 0);
    for rule in policy.rules.iter().chain(&policy.disabled) {
        assert!(!rule.description.is_empty(), "{}", rule.name);
    }
}

fn verdict(agent: &str, action: Action, exe: &str, resource: &str) -> (Verdict, Option<String>) {
    let policies = all_enforced(vec![deputies()]);
    let mut principal = Principal::of_type(agent);
    principal.exe = crate::policy::fact::Fact::Known(exe.into());
    let request = Request {
        principal,
        action,
        resource: question::resource(action, resource).expect("a resource"),
        moment: None,
    };
    let decision = evaluate(&policies, &request);
    let rule = decision
        .deciding
        .map(|deciding| policies[0].policy.rules[deciding.rule_index].name.clone());
    (decision.verdict, rule)
}

fn write(resource: &str) -> (Verdict, Option<String>) {
    verdict("claude-code", Action::FileWrite, "/usr/bin/bash", resource)
}

#[test]
fn ways_out_are_denied() {
    for path in [
        "/run/systemd/private",
        "/run/user/1000/systemd/private",
        "/run/user/1000/bus",
        "/run/dbus/system_bus_socket",
        "/run/docker.sock",
        "/run/user/1000/docker.sock",
        "/home/u/.docker/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/run/libvirt/libvirt-sock",
        "/tmp/tmux-1000/default",
        "/run/screen/S-u/1.pts",
        "/abstract:/tmp/.X11-unix/X0",
        "/tmp/.X11-unix/X0",
        "/abstract:mykitty-123",
        "/run/user/1000/vscode-ipc-1.sock",
        "/dev/uinput",
        "/var/spool/cron/crontabs/u",
        "/etc/cron.d/new",
        "/etc/crontab",
        "/home/u/.config/systemd/user/x.service",
        "/home/u/.config/autostart/x.desktop",
        "/home/u/.bashrc",
        "/root/.profile",
        "/home/u/.zshenv",
        "/home/u/.config/fish/conf.d/x.fish",
        "/home/u/work/.git/hooks/pre-commit",
        "/srv/repo.git/hooks/post-receive",
        "/home/u/work/.git/modules/lib/hooks/pre-commit",
        "/home/u/.gitconfig",
        "/home/u/.ssh/authorized_keys",
        "/home/u/.ssh/config",
        "/etc/ld.so.preload",
        "/etc/sudoers.d/u",
        "/proc/sys/kernel/core_pattern",
        "/sys/fs/cgroup/rdma/release_agent",
        "/home/u/work/.vscode/tasks.json",
    ] {
        assert_eq!(write(path).0, Verdict::Deny, "{path}: {:?}", write(path));
    }
    for address in [
        "169.254.169.254:80/tcp",
        "[fd00:ec2::254]:80/tcp",
        "127.0.0.1:22/tcp",
        "127.9.9.9:22/tcp",
        "0.0.0.0:22/tcp",
        "[::1]:22/tcp",
        "[::ffff:127.0.0.1]:22/tcp",
    ] {
        let answer = verdict("codex", Action::NetConnect, "/usr/bin/curl", address);
        assert_eq!(answer.0, Verdict::Deny, "{address}");
    }
}

#[test]
fn ordinary_work_is_not() {
    for path in [
        "/home/u/work/src/main.rs",
        "/home/u/work/package.json",
        "/home/u/work/Makefile",
        "/home/u/work/.git/index",
        "/home/u/work/.git/hooks",
        "/home/u/work/.git/hooks/pre-commit.sample",
        "/home/u/.claude/projects/x.jsonl",
        "/home/u/.codex/log",
        "/home/u/.cache/pip/x",
        "/home/u/.ssh/known_hosts",
        "/home/u/.config/git/ignore",
        "/home/u/.bash_history",
        "/home/u/.local/bin/tool",
        "/tmp/build/docker/sock",
        "/run/systemd/notify",
        "/run/systemd/journal/dev-log",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/nscd/socket",
        "/tmp/.X11-unix/X99",
        "/abstract:/tmp/.X11-unix/X99",
        "/abstract:/containerd-shim-of-nobody",
        "/dev/null",
        "/dev/pts/3",
        "/etc/hosts",
        "/usr/lib/python3/dist-packages/x.py",
    ] {
        assert_eq!(write(path).0, Verdict::Allow, "{path}: {:?}", write(path));
    }
    for path in ["/home/u/work/.git/config", "/tmp/ssh-abc/agent.1"] {
        assert_eq!(write(path).0, Verdict::Alert, "{path}: {:?}", write(path));
    }
    for address in [
        "127.0.0.1:3000/tcp",
        "127.0.0.1:2222/tcp",
        "[::1]:23/tcp",
        "192.0.2.1:22/tcp",
        "127.0.0.1:22/udp",
    ] {
        let answer = verdict("codex", Action::NetConnect, "/usr/bin/curl", address);
        assert_eq!(answer, (Verdict::Allow, None), "{address}");
    }
}

#[test]
fn an_editor_that_is_the_agent_can_start() {
    for path in ["/tmp/.X11-unix/X0", "/run/user/1000/bus"] {
        let answer = verdict("cursor", Action::FileWrite, "/opt/Cursor/cursor", path);
        assert_eq!(answer.0, Verdict::Alert, "{path}");
    }
}

#[test]
fn the_tables_stay_small() {
    let states = |policies: &[Effective]| {
        let input = Input {
            policies,
            signatures: &Signatures::builtin(),
            host: &Principal::default(),
            superblocks: &[],
            slots: &[],
            moment: None,
            unmatched_is_silent: false,
        };
        compile(&input).expect("it compiles").states_built
    };
    let added = states(&all_enforced(vec![deputies()])) - states(&[]);
    assert!(added < 5_000, "{added} states are its own");
}

/// A text with the number raised, one rule gone and one added.
fn next_text() -> String {
    let text = ALL[0].text.replace("builtin: \"2\"", "builtin: \"3\"");
    let added = "    - name: added\n      description: new\n      action: exec\n      \
                 resource_pattern: /x\n      verdict: deny\n";
    format!("{text}{added}").replace("- name: tmux\n", "- name: tmux-renamed\n")
}

#[test]
fn an_upgrade_keeps_what_was_switched_off() {
    let seeded = ALL[0].text;
    let newer = next_text();
    assert_eq!(number_of(&newer), 3);
    assert_eq!(upgraded(&newer, seeded, seeded).as_deref(), Some(&*newer));
    let mut current = seeded.to_owned();
    for rule in ["docker-socket", "tmux"] {
        current = switch::set(&current, rule, false).expect("switched");
    }
    let text = upgraded(&newer, seeded, &current).expect("only switches differ");
    assert_eq!(
        switch::disabled(&text).expect("a policy"),
        ["docker-socket"]
    );
    assert!(text.contains("name: added"));
}

#[test]
fn an_upgrade_leaves_an_edited_text_alone() {
    let seeded = ALL[0].text;
    let edited = seeded.replace("\"/tmp/tmux-*/**\"", "\"/tmp/other-*/**\"");
    assert_ne!(edited, seeded);
    assert_eq!(upgraded(&next_text(), seeded, &edited), None);
}
