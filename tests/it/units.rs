//! The units: what they promise about enforcement, and that every exception says why.

use tyr::install::manifest::{Content, ITEMS, Role};

/// The unit of a role, as (comment above, key, value) of every line.
fn unit(role: Role) -> Vec<(String, String, String)> {
    let name = role.unit().expect("a role with a unit");
    let item = ITEMS.iter().find(|item| item.name == name).expect("a file");
    let Content::Unit(text) = item.content else {
        panic!("{name} is a unit");
    };
    let mut lines = Vec::new();
    let mut comment = String::new();
    for line in text.lines() {
        match (line.strip_prefix('#'), line.split_once('=')) {
            (Some(words), _) => comment.push_str(words),
            (None, Some((key, value))) => {
                let above = std::mem::take(&mut comment);
                lines.push((above, key.to_owned(), value.to_owned()));
            }
            _ => comment.clear(),
        }
    }
    lines
}

fn values(unit: &[(String, String, String)], key: &str) -> Vec<String> {
    let lines = unit.iter().filter(|(_, found, _)| found == key);
    lines.map(|(_, _, value)| value.clone()).collect()
}

#[test]
fn stopping_the_daemon_never_takes_enforcement_off() {
    let daemon = unit(Role::Daemon);
    for key in ["ExecStop", "ExecStopPost", "ExecReload"] {
        assert_eq!(values(&daemon, key), Vec::<String>::new(), "{key}");
    }
    assert_eq!(values(&daemon, "ExecStart"), ["/usr/bin/tyrd"]);
    assert_eq!(values(&daemon, "Restart"), ["always"]);
    let released = tyr::exit::Exit::Released.code().to_string();
    for key in ["RestartPreventExitStatus", "SuccessExitStatus"] {
        assert_eq!(values(&daemon, key), [released.as_str()], "{key}");
    }
}

#[test]
fn the_daemon_comes_before_everything_that_starts_agents() {
    let daemon = unit(Role::Daemon);
    assert_eq!(values(&daemon, "DefaultDependencies"), ["no"]);
    assert!(values(&daemon, "Before")[0].contains("basic.target"));
    assert!(!values(&daemon, "After")[0].contains("network"));
}

/// systemd gives a service with any of these a mount namespace of its own.
const MOUNT_NAMESPACE: [&str; 14] = [
    "InaccessiblePaths",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateTmp",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
];

#[test]
fn the_daemon_sees_the_mounts_of_the_host() {
    let daemon = unit(Role::Daemon);
    for key in MOUNT_NAMESPACE {
        assert_eq!(values(&daemon, key), Vec::<String>::new(), "{key}");
    }
}

#[test]
fn every_capability_says_what_it_is_for() {
    for (comment, key, value) in unit(Role::Daemon) {
        if key == "CapabilityBoundingSet" {
            assert!(
                value.starts_with("CAP_") && !value.contains(' '),
                "one a line: {value}"
            );
            assert!(comment.len() > 20, "{value} has no reason above it");
        }
    }
}

#[test]
fn the_server_has_no_right_of_roots_and_writes_only_its_state() {
    let server = unit(Role::Server);
    for (key, value) in [
        ("User", "tyr"),
        ("CapabilityBoundingSet", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "tyr/server"),
        ("StateDirectoryMode", "0700"),
        ("KillMode", "mixed"),
    ] {
        assert_eq!(values(&server, key), [value], "{key}");
    }
    assert!(values(&server, "ReadWritePaths").is_empty());
}

#[test]
fn both_filter_system_calls_and_forbid_new_code() {
    for role in [Role::Daemon, Role::Server] {
        let unit = unit(role);
        assert!(values(&unit, "SystemCallFilter")[0].starts_with("@system-service"));
        for key in [
            "MemoryDenyWriteExecute",
            "LockPersonality",
            "RestrictRealtime",
        ] {
            assert_eq!(values(&unit, key), ["yes"], "{role:?} {key}");
        }
    }
}
