//! Records of the kernel as the daemon knows them.

use crate::kernel::record;
use crate::kernel::selftest;
use crate::model::event::path_text;
use crate::model::resource::{Protocol, Resource};

use super::super::{Decision, Reason, Record, Subject};
use super::Live;
use super::ring::agent_type;

impl Live {
    /// `None`: the self-test's.
    pub(super) fn record(&self, record: record::Record) -> Option<Record> {
        if agent_type(&record) == selftest::TYPE_NUMBER {
            return None;
        }
        Some(match record {
            record::Record::Operation(origin, operation) => {
                let decision = self.decision(&operation, origin.generation);
                Record::Decision(self.subject(&origin, operation.agent_type), decision)
            }
            record::Record::AgentStarted(origin, program) => {
                self.containers.started(origin.tgid);
                let path = self.program_path(&program);
                Record::AgentStarted(self.subject(&origin, program.agent_type), path)
            }
            record::Record::ProcessExeced(origin, program) => {
                let path = self.program_path(&program);
                Record::Execed(self.subject(&origin, program.agent_type), path)
            }
            record::Record::ProcessExited(origin, program) => {
                Record::Exited(self.subject(&origin, program.agent_type))
            }
        })
    }

    fn subject(&self, origin: &record::Origin, agent_type: u32) -> Subject {
        Subject {
            session: origin.session,
            boot_ns: origin.boot_ns,
            start_boot_ns: origin.start_boot_ns,
            exec_boot_ns: origin.exec_boot_ns,
            cgroup_id: origin.cgroup_id,
            pid: origin.tgid,
            parent_pid: origin.parent_tgid,
            uid: origin.uid,
            generation: origin.generation,
            comm: path_text(&origin.comm),
            agent_type: self.type_id(agent_type).unwrap_or_default(),
        }
    }

    fn program_path(&self, program: &record::Program) -> Vec<u8> {
        self.host_paths(&program.file)
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    fn decision(&self, operation: &record::Operation, generation: u32) -> Decision {
        let reason = match operation.reason {
            record::Reason::Cell => Reason::Cell,
            record::Reason::Unsettled => Reason::Unsettled,
            record::Reason::TooLong => Reason::TooLong,
            record::Reason::Fault => Reason::Fault,
            record::Reason::Own(rule) => Reason::SelfProtection(rule.name()),
            record::Reason::Moved => Reason::Moved,
            record::Reason::Linked => Reason::Linked,
        };
        let (mut resource, described) = self.resource(&operation.object, reason);
        if reason == Reason::Linked {
            self.add_links(&mut resource, &operation.object, generation);
        }
        Decision {
            action: operation.action,
            resource,
            described,
            verdict: operation.verdict,
            monitored: operation.monitored,
            reason,
            exe: self.host_paths(&operation.exe).into_iter().next(),
        }
    }

    fn resource(&self, object: &record::Object, reason: Reason) -> (Resource, String) {
        match object {
            record::Object::File(place) => {
                let paths = self.host_paths(place);
                let is_unknown = matches!(reason, Reason::Unsettled | Reason::TooLong);
                if is_unknown || paths.is_empty() {
                    let shown = paths.first().unwrap_or(&place.path);
                    (Resource::Unknown, path_text(shown))
                } else {
                    (Resource::Paths(paths), String::new())
                }
            }
            record::Object::Act(act) => (Resource::Unknown, act.to_string()),
            record::Object::Address {
                ip: Some(ip),
                port,
                protocol,
            } => {
                let (ip, port) = (ip.to_canonical(), *port);
                let protocol = Protocol::from_number(*protocol);
                (Resource::Address { ip, port, protocol }, String::new())
            }
            record::Object::Address {
                ip: None,
                port,
                protocol,
            } => {
                let protocol = Protocol::from_number(*protocol).name();
                (Resource::Unknown, format!("any address:{port}/{protocol}"))
            }
        }
    }
}
