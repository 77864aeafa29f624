//! Messages to the model: what the model cannot hold is refused by the name of its field.

use crate::model::action::Action;
use crate::model::event::{AgentRef, Ancestor, Body, Event, Operation, Process};
use crate::model::verdict::{Mode, Severity, Verdict};
use crate::wire::proto;

use super::ConvertError;

impl TryFrom<proto::Event> for Event {
    type Error = ConvertError;

    fn try_from(event: proto::Event) -> Result<Event, ConvertError> {
        Ok(Event {
            time_ns: event.time_ns,
            boot_ns: event.boot_ns,
            process: event
                .process
                .ok_or(ConvertError::Missing("process"))?
                .into(),
            agent: event.agent.map(|a| AgentRef {
                id: a.id,
                agent_type: a.agent_type,
            }),
            body: event
                .body
                .ok_or(ConvertError::Missing("body"))?
                .try_into()?,
        })
    }
}

impl From<proto::Process> for Process {
    fn from(process: proto::Process) -> Process {
        let ancestors = process.lineage.into_iter();
        Process {
            pid: process.pid,
            parent_pid: process.parent_pid,
            start_boot_ns: process.start_boot_ns,
            uid: process.uid,
            user: process.user,
            exe: process.exe,
            comm: process.comm,
            args: process.args,
            container: process.container,
            lineage: ancestors
                .map(|a| Ancestor {
                    pid: a.pid,
                    exe: a.exe,
                })
                .collect(),
        }
    }
}

impl TryFrom<proto::event::Body> for Body {
    type Error = ConvertError;

    fn try_from(body: proto::event::Body) -> Result<Body, ConvertError> {
        use proto::event::Body as Message;
        Ok(match body {
            Message::Operation(operation) => Body::Operation(operation.try_into()?),
            Message::AgentStarted(m) => Body::AgentStarted {
                evidence: m.evidence,
            },
            Message::AgentEnded(_) => Body::AgentEnded,
            Message::Lost(m) => Body::Lost {
                cause: m.cause,
                count: m.count,
            },
            Message::PolicyApplied(m) => Body::PolicyApplied {
                generation: m.generation,
                policies: m.policies,
                limits: m.limits,
            },
            Message::Alarm(m) => Body::Alarm { message: m.message },
        })
    }
}

impl TryFrom<proto::Operation> for Operation {
    type Error = ConvertError;

    fn try_from(operation: proto::Operation) -> Result<Operation, ConvertError> {
        if operation.count == 0 {
            return Err(ConvertError::Range("operation.count"));
        }
        Ok(Operation {
            action: action(operation.action)?,
            resource: operation.resource,
            verdict: verdict(operation.verdict)?,
            enforced: operation.enforced,
            severity: severity(operation.severity)?,
            policy: operation.policy,
            policy_version: operation.policy_version,
            rule: operation.rule,
            reason: operation.reason,
            count: operation.count,
        })
    }
}

/// The action with this number in a message.
pub fn action(value: i32) -> Result<Action, ConvertError> {
    match proto::Action::try_from(value) {
        Ok(proto::Action::FileRead) => Ok(Action::FileRead),
        Ok(proto::Action::FileWrite) => Ok(Action::FileWrite),
        Ok(proto::Action::Exec) => Ok(Action::Exec),
        Ok(proto::Action::NetConnect) => Ok(Action::NetConnect),
        Ok(proto::Action::TlsConnect) => Ok(Action::TlsConnect),
        Ok(proto::Action::Unspecified) | Err(_) => Err(ConvertError::Unknown {
            field: "operation.action",
            value,
        }),
    }
}

/// The verdict with this number in a message.
pub fn verdict(value: i32) -> Result<Verdict, ConvertError> {
    match proto::Verdict::try_from(value) {
        Ok(proto::Verdict::Allow) => Ok(Verdict::Allow),
        Ok(proto::Verdict::Alert) => Ok(Verdict::Alert),
        Ok(proto::Verdict::Deny) => Ok(Verdict::Deny),
        Ok(proto::Verdict::Unspecified) | Err(_) => Err(ConvertError::Unknown {
            field: "operation.verdict",
            value,
        }),
    }
}

/// The severity with this number in a message.
pub fn severity(value: i32) -> Result<Severity, ConvertError> {
    match proto::Severity::try_from(value) {
        Ok(proto::Severity::Low) => Ok(Severity::Low),
        Ok(proto::Severity::Medium) => Ok(Severity::Medium),
        Ok(proto::Severity::High) => Ok(Severity::High),
        Ok(proto::Severity::Critical) => Ok(Severity::Critical),
        Ok(proto::Severity::Unspecified) | Err(_) => Err(ConvertError::Unknown {
            field: "operation.severity",
            value,
        }),
    }
}

impl TryFrom<proto::Mode> for Mode {
    type Error = ConvertError;

    fn try_from(mode: proto::Mode) -> Result<Mode, ConvertError> {
        match mode {
            proto::Mode::Enforce => Ok(Mode::Enforce),
            proto::Mode::Monitor => Ok(Mode::Monitor),
            proto::Mode::Unspecified => Err(ConvertError::Unknown {
                field: "mode",
                value: 0,
            }),
        }
    }
}
