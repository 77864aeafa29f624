//! Decided operations: counted when they repeat, named when they are new.

use std::collections::HashMap;

use crate::daemon::fold::Fold;
use crate::daemon::judge::judge;
use crate::daemon::kernel::{Decision, Reason, Subject};
use crate::model::action::Action;
use crate::model::event::{AgentRef, Body, Event};
use crate::model::resource::Resource;
use crate::model::verdict::Verdict;
use crate::policy::fact::Fact;
use crate::policy::principal::Principal;

use super::Engine;

/// What makes two operations the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    pid: u32,
    start_boot_ns: u64,
    exec_boot_ns: u64,
    generation: u32,
    action: Action,
    resource: Resource,
    described: String,
    verdict: Verdict,
    monitored: bool,
    reason: Reason,
}

/// An alarm of the same generation and action is repeated at most this often.
const ALARM_INTERVAL_NS: u64 = 60_000_000_000;
const ALARMS_MAX: usize = 64;

pub(super) struct Operations {
    fold: Fold<Key, Event>,
    /// Event of each open window, to be counted again.
    reported: HashMap<Key, Event>,
    alarms: HashMap<(u32, Action), (u64, u64)>,
}

impl Operations {
    pub(super) fn new(window_ns: u64) -> Operations {
        Operations {
            fold: Fold::new(window_ns),
            reported: HashMap::new(),
            alarms: HashMap::new(),
        }
    }

    /// Events of windows that have ended, with how often each was repeated since it was last
    /// reported.
    pub(super) fn end(&mut self, now_ns: u64) -> Vec<(Event, u64)> {
        let counted = self.fold.end(now_ns);
        self.reported
            .retain(|key, _| self.fold.is_open(key, now_ns));
        counted
    }

    /// The same of all windows, which stay open.
    pub(super) fn take_repeats(&mut self) -> Vec<(Event, u64)> {
        let mut counted = self.fold.take_repeats();
        counted.sort_by_key(|(event, _)| event.boot_ns);
        counted
    }
}

/// Reports a decision, or counts it when the same was reported a moment ago.
pub(super) fn take(engine: &mut Engine, subject: &Subject, decision: &Decision) {
    let key = Key {
        pid: subject.pid,
        start_boot_ns: subject.start_boot_ns,
        exec_boot_ns: subject.exec_boot_ns,
        generation: subject.generation,
        action: decision.action,
        resource: decision.resource.clone(),
        described: decision.described.clone(),
        verdict: decision.verdict,
        monitored: decision.monitored,
        reason: decision.reason,
    };
    let operations = &mut engine.operations;
    if operations.fold.is_open(&key, subject.boot_ns)
        && let Some(event) = operations.reported.get(&key)
    {
        let time_ns = engine.clock.wall_ns(subject.boot_ns);
        let event = Event {
            time_ns,
            boot_ns: subject.boot_ns,
            ..event.clone()
        };
        operations.fold.repeat(&key, event);
        return;
    }
    let event = event(engine, subject, decision);
    // Its last window may have ended since windows were looked at.
    if let Some((last, count)) = engine.operations.fold.begin(key.clone(), subject.boot_ns) {
        engine.put_counted(last, count);
    }
    engine.outbox.put(&event);
    engine.operations.reported.insert(key, event);
}

fn event(engine: &mut Engine, subject: &Subject, decision: &Decision) -> Event {
    let generation = engine.generations.get(subject.generation);
    let agent = engine.roster.agent(subject.session);
    let host = generation
        .as_ref()
        .map(|generation| generation.host.clone())
        .unwrap_or_default();
    let principal = match &agent {
        Some(agent) => agent.principal(&host),
        None if subject.agent_type.is_empty() => host,
        None => Principal {
            agent_types: Fact::Known(vec![subject.agent_type.clone()]),
            ..host
        },
    };
    let judged = judge(
        generation.as_ref(),
        &principal,
        decision,
        engine.is_observing(),
    );
    if let Some(message) = judged.disagreement {
        alarm(engine, subject, decision.action, message);
    }
    let root_pid = agent.as_ref().map_or(0, |agent| agent.root_pid);
    let process = engine
        .processes
        .describe(subject, decision.exe.as_deref(), root_pid);
    Event {
        time_ns: engine.clock.wall_ns(subject.boot_ns),
        boot_ns: subject.boot_ns,
        process,
        agent: agent.map(|agent| AgentRef {
            agent_type: agent.agent_type().to_owned(),
            id: agent.id,
        }),
        body: Body::Operation(judged.operation),
    }
}

/// One alarm a minute for each generation and action; those between are counted in the next.
fn alarm(engine: &mut Engine, subject: &Subject, action: Action, message: String) {
    let alarms = &mut engine.operations.alarms;
    if alarms.len() >= ALARMS_MAX {
        alarms.clear();
    }
    let (last_ns, held) = alarms.entry((subject.generation, action)).or_insert((0, 0));
    if *last_ns != 0 && subject.boot_ns.saturating_sub(*last_ns) < ALARM_INTERVAL_NS {
        *held += 1;
        return;
    }
    let more = if *held > 0 {
        format!(" ({held} more since the last alarm)")
    } else {
        String::new()
    };
    (*last_ns, *held) = (subject.boot_ns, 0);
    tracing::error!(message, "kernel and evaluator disagree");
    engine.host_event(Body::Alarm {
        message: message + &more,
    });
}
