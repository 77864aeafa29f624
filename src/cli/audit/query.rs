//! Options → the server's query.

use jiff::{SignedDuration, Timestamp};

use crate::exit::{Exit, Failure};
use crate::wire::rest::EventQuery;

use super::{Search, Tail};

pub(super) fn of_tail(tail: &Tail) -> EventQuery {
    let (agent, agent_type) = agent(tail.agent.as_deref());
    EventQuery {
        host: tail.host.clone(),
        agent,
        agent_type,
        action: tail.action,
        verdict: tail.verdict,
        severity: tail.severity,
        policy: tail.policy.clone(),
        rule: tail.rule.clone(),
        ..EventQuery::default()
    }
}

pub(super) fn of_search(search: &Search, now: Timestamp) -> Result<EventQuery, Failure> {
    let (agent, agent_type) = agent(search.agent.as_deref());
    let at = |text: &Option<String>| text.as_deref().map(|text| time(text, now)).transpose();
    Ok(EventQuery {
        host: search.host.clone(),
        agent,
        agent_type,
        action: search.action,
        verdict: search.verdict,
        severity: search.severity,
        policy: search.policy.clone(),
        rule: search.rule.clone(),
        kind: search.kind.clone(),
        resource: search.resource.clone(),
        exe: search.exe.clone(),
        user: search.user.clone(),
        pid: search.pid,
        since: at(&search.since)?,
        until: at(&search.until)?,
        ..EventQuery::default()
    })
}

/// An id of a session is a UUID; every other word is a type.
fn agent(text: Option<&str>) -> (Option<String>, Option<String>) {
    match text {
        Some(text) if uuid::Uuid::try_parse(text).is_ok() => (Some(text.to_owned()), None),
        Some(text) => (None, Some(text.to_owned())),
        None => (None, None),
    }
}

/// RFC 3339, or a number with s, m, h or d: that long before `now`.
fn time(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    ago(text).and_then(|ago| now.checked_sub(ago).ok()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is not a time"))
            .help("write RFC 3339, such as 2026-11-21T20:00:00Z, or how long ago, such as 90s, 15m, 2h or 7d")
    })
}

fn ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(number.checked_mul(factor)?))
}
