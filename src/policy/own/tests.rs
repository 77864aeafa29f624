use super::*;
use crate::model::resource::Resource;
use crate::policy::evaluate::{Request, evaluate};
use crate::policy::principal::Principal;

fn verdict(action: Action, path: &str) -> (Verdict, Option<String>) {
    let mut places = Places::default();
    places.secrets.push("/srv/a[b]*".into());
    let policies = [policy(&places)];
    let request = Request {
        principal: Principal::of_type("claude-code"),
        action,
        resource: Resource::Paths(vec![path.as_bytes().to_vec()]),
        moment: None,
    };
    let decision = evaluate(&policies, &request);
    let rule = decision
        .deciding
        .map(|deciding| policies[0].policy.rules[deciding.rule_index].name.clone());
    (decision.verdict, rule)
}

#[test]
fn every_pattern_is_valid() {
    for draft in drafts(&Places::default()) {
        for text in &draft.patterns {
            Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        assert!(!draft.patterns.is_empty(), "{}", draft.name);
    }
}

#[test]
fn what_governs_an_agent_is_out_of_its_reach() {
    use Action::{FileRead, FileWrite};
    let denied = [
        (FileRead, "/var/lib/tyr/identity/key.pem", "state-read"),
        (FileWrite, "/var/lib/tyr", "state-write"),
        (FileWrite, "/var/lib/tyr/spool/1", "state-write"),
        (FileRead, "/srv/a[b]*/key", "state-read"),
        (
            FileRead,
            "/home/ann/.config/tyr/credentials.json",
            "credentials-read",
        ),
        (FileWrite, "/usr/bin/tyr", "executables"),
        (FileWrite, "/etc/tyr/daemon.yaml", "settings"),
        (
            FileWrite,
            "/etc/systemd/system/tyrd.service.d/own.conf",
            "units",
        ),
        (FileWrite, "/boot/grub/grub.cfg", "boot"),
        (FileRead, "/dev/nvme0n1", "devices-read"),
    ];
    for (action, path, rule) in denied {
        let expected = (Verdict::Deny, Some(rule.to_owned()));
        assert_eq!(verdict(action, path), expected, "{action} {path}");
    }
    let free = [
        (FileRead, "/usr/bin/tyr"),
        (FileRead, "/etc/tyr/daemon.yaml"),
        (FileRead, "/srv/ab/key"),
        (FileWrite, "/var/lib/tyrannosaurus"),
        (FileRead, "/boot/config"),
        (FileWrite, "/home/ann/.config/typora"),
    ];
    for (action, path) in free {
        assert_eq!(
            verdict(action, path),
            (Verdict::Allow, None),
            "{action} {path}"
        );
    }
}
