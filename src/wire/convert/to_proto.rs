//! Model to messages: cannot fail.

use crate::model::action::Action;
use crate::model::event::{Body, Event, Operation, Process};
use crate::model::verdict::{Mode, Severity, Verdict};
use crate::wire::proto;

impl From<&Event> for proto::Event {
    fn from(event: &Event) -> proto::Event {
        proto::Event {
            time_ns: event.time_ns,
            boot_ns: event.boot_ns,
            process: Some(proto::Process::from(&event.process)),
            agent: event.agent.as_ref().map(|agent| proto::AgentRef {
                id: agent.id.clone(),
                agent_type: agent.agent_type.clone(),
            }),
            body: Some(proto::event::Body::from(&event.body)),
        }
    }
}

impl From<&Process> for proto::Process {
    fn from(process: &Process) -> proto::Process {
        let ancestors = process.lineage.iter();
        proto::Process {
            pid: process.pid,
            parent_pid: process.parent_pid,
            start_boot_ns: process.start_boot_ns,
            uid: process.uid,
            user: process.user.clone(),
            exe: process.exe.clone(),
            comm: process.comm.clone(),
            args: process.args.clone(),
            container: process.container.clone(),
            lineage: ancestors
                .map(|a| proto::Ancestor {
                    pid: a.pid,
                    exe: a.exe.clone(),
                })
                .collect(),
        }
    }
}

impl From<&Body> for proto::event::Body {
    fn from(body: &Body) -> proto::event::Body {
        use proto::event::Body as Message;
        match body {
            Body::Operation(operation) => Message::Operation(operation.into()),
            Body::AgentStarted { evidence } => Message::AgentStarted(proto::AgentStarted {
                evidence: evidence.clone(),
            }),
            Body::AgentEnded => Message::AgentEnded(proto::AgentEnded {}),
            Body::Lost { cause, count } => Message::Lost(proto::Lost {
                cause: cause.clone(),
                count: *count,
            }),
            Body::PolicyApplied {
                generation,
                policies,
                limits,
            } => Message::PolicyApplied(proto::PolicyApplied {
                generation: *generation,
                policies: policies.clone(),
                limits: limits.clone(),
            }),
            Body::Alarm { message } => Message::Alarm(proto::Alarm {
                message: message.clone(),
            }),
        }
    }
}

impl From<&Operation> for proto::Operation {
    fn from(operation: &Operation) -> proto::Operation {
        proto::Operation {
            action: proto::Action::from(operation.action).into(),
            resource: operation.resource.clone(),
            verdict: proto::Verdict::from(operation.verdict).into(),
            enforced: operation.enforced,
            severity: proto::Severity::from(operation.severity).into(),
            policy: operation.policy.clone(),
            policy_version: operation.policy_version,
            rule: operation.rule.clone(),
            reason: operation.reason.clone(),
            count: operation.count,
        }
    }
}

impl From<Action> for proto::Action {
    fn from(action: Action) -> proto::Action {
        match action {
            Action::FileRead => proto::Action::FileRead,
            Action::FileWrite => proto::Action::FileWrite,
            Action::Exec => proto::Action::Exec,
            Action::NetConnect => proto::Action::NetConnect,
            Action::TlsConnect => proto::Action::TlsConnect,
        }
    }
}

impl From<Verdict> for proto::Verdict {
    fn from(verdict: Verdict) -> proto::Verdict {
        match verdict {
            Verdict::Allow => proto::Verdict::Allow,
            Verdict::Alert => proto::Verdict::Alert,
            Verdict::Deny => proto::Verdict::Deny,
        }
    }
}

impl From<Severity> for proto::Severity {
    fn from(severity: Severity) -> proto::Severity {
        match severity {
            Severity::Low => proto::Severity::Low,
            Severity::Medium => proto::Severity::Medium,
            Severity::High => proto::Severity::High,
            Severity::Critical => proto::Severity::Critical,
        }
    }
}

impl From<Mode> for proto::Mode {
    fn from(mode: Mode) -> proto::Mode {
        match mode {
            Mode::Enforce => proto::Mode::Enforce,
            Mode::Monitor => proto::Mode::Monitor,
        }
    }
}
