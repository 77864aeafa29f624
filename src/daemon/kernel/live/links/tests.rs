use std::fs;

use super::*;

/// Names that a search for `patterns` below a folder finds, without the folder.
fn found(folder: &Path, patterns: &[&str]) -> Vec<String> {
    let base = folder.to_str().unwrap();
    let patterns: Vec<Pattern> = patterns
        .iter()
        .map(|pattern| Pattern::parse(&format!("{base}/{pattern}")).unwrap())
        .collect();
    // One file system for everything: paths inside it are those of the host.
    let mounts = Mounts::parse(b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
    let found = search(&patterns, &mounts);
    assert!(!found.is_cut);
    let paths = found.names.iter().filter_map(|name| name.path.as_ref());
    let mut paths: Vec<String> = paths
        .map(|path| String::from_utf8_lossy(path)[base.len() + 1..].to_owned())
        .collect();
    paths.sort_unstable();
    paths
}

#[test]
fn finds_what_patterns_name_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for name in ["home/a/.ssh/deep", "home/b/.ssh", "other"] {
        fs::create_dir_all(base.join(name)).unwrap();
    }
    let names = [
        "home/a/.ssh/id",
        "home/a/.ssh/deep/key",
        "home/b/.ssh/id",
        "home/b/.sshrc",
    ];
    for (number, name) in names.iter().enumerate() {
        fs::write(base.join(name), "x").unwrap();
        fs::hard_link(base.join(name), base.join(format!("other/{number}"))).unwrap();
    }
    fs::write(base.join("home/a/.ssh/single"), "x").unwrap();
    std::os::unix::fs::symlink(base.join("home/a"), base.join("home/link")).unwrap();
    assert_eq!(
        found(&base, &["home/*/.ssh/**"]),
        ["home/a/.ssh/deep/key", "home/a/.ssh/id", "home/b/.ssh/id"]
    );
    assert_eq!(
        found(&base, &["home/*/.ssh/*"]),
        ["home/a/.ssh/id", "home/b/.ssh/id"]
    );
    assert_eq!(
        found(&base, &["home/**/id"]),
        ["home/a/.ssh/id", "home/b/.ssh/id"]
    );
    assert_eq!(found(&base, &["home/b/.sshrc"]), ["home/b/.sshrc"]);
    assert_eq!(found(&base, &["**"]).len(), 8);
    assert_eq!(
        found(&base, &["home/b/.ssh/id", "home/?/.ssh/deep/**"]),
        ["home/a/.ssh/deep/key", "home/b/.ssh/id"]
    );
    assert_eq!(found(&base, &["nowhere/**", "home/a"]), [] as [String; 0]);
}

#[test]
fn only_patterns_with_a_beginning_are_looked_for() {
    let text = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: t\nspec:\n  rules:\n    \
                - {name: a, action: file_read, resource_pattern: '/etc/x', verdict: deny}\n    \
                - {name: b, action: exec, resource_pattern: '/etc/x', verdict: deny}\n    \
                - {name: c, action: file_read, resource_pattern: '**/.env', verdict: deny}\n    \
                - {name: d, action: file_read, resource_pattern: '/srv/**', verdict: alert}\n";
    let loaded = crate::policy::load("t.yaml", text.as_bytes(), &Default::default()).unwrap();
    let effective: Vec<Effective> = loaded
        .policies
        .into_iter()
        .map(|source| Effective {
            policy: std::sync::Arc::new(source.policy),
            version: 1,
            mode: crate::model::verdict::Mode::Enforce,
            agent_types: Vec::new(),
        })
        .collect();
    let patterns = patterns(&effective);
    let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    assert_eq!(patterns, ["/etc/x"]);
}
