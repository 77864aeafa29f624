//! What events say about agent sessions, summed up for one write.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::event::{Body, Event};
use crate::model::verdict::Verdict;
use crate::server::db::{NewEvent, TalliedAgent, stored_text, stored_time};

/// One row for each session that the events name.
pub(super) fn tally(events: &[NewEvent]) -> Vec<TalliedAgent> {
    let mut sessions: BTreeMap<(Uuid, &str), TalliedAgent> = BTreeMap::new();
    for new in events {
        let Some(agent) = &new.event.agent else {
            continue;
        };
        let session = sessions
            .entry((new.host_id, agent.id.as_str()))
            .or_insert_with(|| first_seen(new.host_id, &agent.id, &new.event));
        session.agent_type = stored_text(&agent.agent_type).into_owned();
        add(session, &new.event);
    }
    sessions.into_values().collect()
}

fn first_seen(host_id: Uuid, id: &str, event: &Event) -> TalliedAgent {
    // The oldest known ancestor is the nearest to the root of a session whose start is unknown.
    let root = event.process.lineage.last();
    let (root_pid, exe) = root.map_or((event.process.pid, &event.process.exe), |root| {
        (root.pid, &root.exe)
    });
    TalliedAgent {
        host_id,
        id: stored_text(id).into_owned(),
        agent_type: String::new(),
        root_pid,
        exe: stored_text(exe).into_owned(),
        user: stored_text(&event.process.user).into_owned(),
        evidence: String::new(),
        started_at: stored_time(event.time_ns),
        ended_at: None,
        allowed: 0,
        alerted: 0,
        denied: 0,
    }
}

fn add(session: &mut TalliedAgent, event: &Event) {
    match &event.body {
        Body::AgentStarted { evidence } => {
            session.evidence = stored_text(evidence).into_owned();
            session.root_pid = event.process.pid;
            session.exe = stored_text(&event.process.exe).into_owned();
            session.user = stored_text(&event.process.user).into_owned();
        }
        Body::AgentEnded => session.ended_at = Some(stored_time(event.time_ns)),
        Body::Operation(operation) => {
            let sum = match operation.verdict {
                Verdict::Allow => &mut session.allowed,
                Verdict::Alert => &mut session.alerted,
                Verdict::Deny => &mut session.denied,
            };
            *sum = sum.saturating_add(operation.count);
        }
        _ => {}
    }
}
