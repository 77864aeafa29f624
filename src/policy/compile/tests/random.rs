//! Random policies, processes and objects from a small vocabulary, so that they meet often.
//!
//! Also compiled into `tests/kernel`: whoever includes this file has `tyr` in scope.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::tyr::model::action::Action;
use super::tyr::model::resource::{Protocol, Resource};
use super::tyr::model::verdict::{Mode, Severity, Verdict};
use super::tyr::policy::compile::{Alias, Superblock};
use super::tyr::policy::condition::Condition;
use super::tyr::policy::fact::Fact;
use super::tyr::policy::moment::Moment;
use super::tyr::policy::network::{AddressMatch, parse_cidr};
use super::tyr::policy::pattern::Pattern;
use super::tyr::policy::principal::Principal;
use super::tyr::policy::rule::{Effective, Match, Policy, Rule};

/// A xorshift generator: the same seed gives the same test everywhere.
pub(crate) struct Random(u64);

const NAMES: [&str; 6] = ["a", "b", "ab", ".x", "abc", "c"];
const TYPES: [&str; 3] = ["codex", "cursor", "aider"];
const EXES: [&str; 5] = ["/bin/a", "/bin/b", "/usr/bin/a", "/opt/x/a", "/c"];

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| {
            random.next();
        });
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap_or(0) % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    pub(crate) fn path(&mut self) -> Vec<u8> {
        if self.one_in(40) {
            return b"/".to_vec();
        }
        let mut path = Vec::new();
        for _ in 0..=self.below(4) {
            path.push(b'/');
            path.extend(self.pick(&NAMES).bytes());
            if self.one_in(20) {
                path.push(0xff);
            }
        }
        path
    }

    fn pattern(&mut self) -> Pattern {
        const PARTS: [&str; 14] = [
            "a", "b", "ab", ".x", "*", "**", "?", "[ab]", "[!a]", "a*", "*b", "*b*", "a?c", "**",
        ];
        let mut text = String::new();
        let relative = self.one_in(4);
        for index in 0..=self.below(4) {
            if index > 0 || !relative {
                text.push('/');
            }
            text.push_str(self.pick(&PARTS));
        }
        Pattern::parse(&text).unwrap()
    }

    fn condition(&mut self, action: Action) -> Option<Condition> {
        let mut choices = vec![
            "principal.user == \"ann\"",
            "principal.uid < 1000 || principal.interactive",
            "context.hour >= 22",
            "principal.exe == \"/bin/a\"",
            "principal.exe like \"*/a\" && principal.user != \"bob\"",
            "principal.agent_type == \"codex\"",
            "!(principal.container == \"\")",
        ];
        if action.takes_path() {
            choices.extend([
                "resource.path like \"*b\"",
                "resource.path == \"/a/b\" || resource.path like \"/ab*\"",
                "resource.path != \"/a\" && principal.user == \"ann\"",
            ]);
        } else {
            choices.extend([
                "resource.address == \"10.0.0.1\"",
                "resource.address != \"::1\"",
                "resource.port == 22",
                "resource.port in [22, 80, 65535]",
                "!(resource.port < 1024)",
                "1 <= resource.port && resource.port <= 255",
                "resource.port > 80 && resource.protocol == \"tcp\"",
                "resource.protocol != \"udp\"",
                "resource.protocol in [\"tcp\", \"1\", \"136\"] || principal.uid < 1000",
                "resource.address == \"10.0.0.1\" || resource.port >= 256",
                "if resource.port == 80 then principal.user == \"ann\" else \"0\" == resource.protocol",
            ]);
        }
        let text = self.pick(&choices);
        Some(Condition::parse(text, action).unwrap())
    }

    fn networks(&mut self) -> Vec<ipnet::IpNet> {
        const NETWORKS: [&str; 12] = [
            "10.0.0.0/8",
            "10.0.0.0/30",
            "10.0.0.1",
            "0.0.0.0/0",
            "::/0",
            "::1",
            "127.0.0.0/8",
            "0.0.0.0",
            "fc00::/7",
            "fc00::1",
            "10.128.0.0/9",
            "::",
        ];
        (0..self.below(3))
            .map(|_| parse_cidr(self.pick(&NETWORKS)).unwrap())
            .collect()
    }

    fn rule(&mut self, name: usize) -> Rule {
        let action = [
            Action::FileRead,
            Action::FileWrite,
            Action::Exec,
            Action::NetConnect,
        ][self.below(4)];
        let verdict = [Verdict::Allow, Verdict::Deny, Verdict::Alert][self.below(3)];
        let matches = if action == Action::NetConnect {
            Match::Address(AddressMatch::new(verdict, self.networks(), self.networks()))
        } else {
            Match::Path((0..=self.below(2)).map(|_| self.pattern()).collect())
        };
        let binaries = if self.one_in(4) {
            let globs = ["/bin/a", "/bin/*", "a", "/usr/**"];
            (0..=self.below(2))
                .map(|_| Pattern::parse(self.pick(&globs)).unwrap())
                .collect()
        } else {
            Vec::new()
        };
        let agent_types = if self.one_in(4) {
            vec![self.pick(&TYPES).to_owned()]
        } else {
            Vec::new()
        };
        Rule {
            name: format!("r{name}"),
            description: String::new(),
            action,
            verdict,
            severity: Severity::Low,
            binaries,
            agent_types,
            matches,
            condition: if self.one_in(3) {
                self.condition(action)
            } else {
                None
            },
            line: 0,
        }
    }

    pub(crate) fn policies(&mut self) -> Vec<Effective> {
        (0..=self.below(3))
            .map(|index| {
                let mode = if self.one_in(4) {
                    Mode::Monitor
                } else {
                    Mode::Enforce
                };
                let rules = (0..self.below(12)).map(|index| self.rule(index)).collect();
                let policy = Policy {
                    name: format!("p{}", 9 - index),
                    description: String::new(),
                    labels: BTreeMap::new(),
                    rules,
                    disabled: Vec::new(),
                };
                let agent_types = if self.one_in(5) {
                    vec![self.pick(&TYPES).to_owned()]
                } else {
                    Vec::new()
                };
                Effective {
                    policy: Arc::new(policy),
                    version: 1,
                    mode,
                    agent_types,
                }
            })
            .collect()
    }

    fn fact<T>(&mut self, values: &[T]) -> Fact<T>
    where
        T: Clone,
    {
        if self.one_in(4) {
            Fact::Unknown
        } else {
            Fact::Known(values[self.below(values.len())].clone())
        }
    }

    pub(crate) fn principal(&mut self) -> Principal {
        let types: Vec<Vec<String>> =
            [&["codex"][..], &["cursor"], &["aider", "codex"], &["goose"]]
                .iter()
                .map(|types| types.iter().map(|&name| name.to_owned()).collect())
                .collect();
        Principal {
            agent_types: self.fact(&types),
            user: self.fact(&["ann".to_owned(), "bob".to_owned()]),
            uid: self.fact(&[0, 1000]),
            container: self.fact(&[String::new(), "c1".to_owned()]),
            interactive: self.fact(&[true, false]),
            ..Principal::default()
        }
    }

    pub(crate) fn exe(&mut self) -> Fact<Vec<u8>> {
        let exe = self.pick(&EXES).as_bytes().to_vec();
        self.fact(&[exe])
    }

    pub(crate) fn moment(&mut self) -> Option<Moment> {
        let hour = i8::try_from(self.below(24)).unwrap_or(0);
        let moment = Moment::from_civil(jiff::civil::date(2026, 11, 16).at(hour, 0, 0, 0));
        if self.one_in(4) { None } else { Some(moment) }
    }

    pub(crate) fn superblocks(&mut self) -> Vec<Superblock> {
        (1..=3)
            .map(|dev| {
                let aliases = (0..=self.below(3)).map(|_| {
                    let root = if self.one_in(2) {
                        b"/".to_vec()
                    } else {
                        self.path()
                    };
                    Alias {
                        root,
                        mount_point: self.path(),
                    }
                });
                Superblock {
                    dev,
                    aliases: aliases.collect(),
                }
            })
            .collect()
    }

    /// An object as the evaluator sees it, and as the kernel does: file system and path inside.
    pub(crate) fn object(
        &mut self,
        superblocks: &[Superblock],
    ) -> (Action, Resource, Option<u32>, Vec<u8>) {
        if self.one_in(4) {
            let ip: IpAddr = match self.below(6) {
                0 => Ipv4Addr::new(10, 0, 0, u8::try_from(self.below(6)).unwrap_or(0)).into(),
                1 => Ipv4Addr::new(10, u8::try_from(self.below(256)).unwrap_or(0), 0, 1).into(),
                2 => Ipv4Addr::new(127, 0, 0, 1).into(),
                3 => Ipv4Addr::from_bits(u32::try_from(self.below(2)).unwrap_or(0)).into(),
                4 => Ipv6Addr::from_bits(self.below(3) as u128).into(),
                _ => Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 1).into(),
            };
            const PORTS: [u16; 14] = [
                0, 1, 21, 22, 23, 79, 80, 81, 255, 256, 1023, 1024, 65534, 65535,
            ];
            const PROTOCOLS: [u16; 9] = [0, 1, 6, 17, 136, 254, 255, 256, 262];
            let port = if self.one_in(3) {
                u16::try_from(self.below(65536)).unwrap_or(0)
            } else {
                PORTS[self.below(PORTS.len())]
            };
            let resource = Resource::Address {
                ip,
                port,
                protocol: Protocol::from_number(PROTOCOLS[self.below(PROTOCOLS.len())]),
            };
            return (Action::NetConnect, resource, None, Vec::new());
        }
        let action = [Action::FileRead, Action::FileWrite, Action::Exec][self.below(3)];
        let path = self.path();
        if self.one_in(2) {
            return (action, Resource::Paths(vec![path.clone()]), None, path);
        }
        let superblock = &superblocks[self.below(superblocks.len())];
        let inside = if self.one_in(2) {
            let root = &superblock.aliases[self.below(superblock.aliases.len())].root;
            let root = root.strip_suffix(b"/").unwrap_or(root);
            if self.one_in(8) || path == b"/" {
                root.to_vec()
            } else {
                [root, &path[..]].concat()
            }
        } else {
            path
        };
        let paths: Vec<Vec<u8>> = superblock
            .aliases
            .iter()
            .filter_map(|alias| alias.host_path(&inside))
            .collect();
        let resource = if paths.is_empty() {
            Resource::Unknown
        } else {
            Resource::Paths(paths)
        };
        (action, resource, Some(superblock.dev), inside)
    }
}
