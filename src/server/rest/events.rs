//! `/api/v1/events`.

use jiff::Timestamp;
use warp::reply::Response;

use super::Call;
use super::auth::limit;
use super::error::{Failure, answer};
use crate::server::db::{EventFilter, PageStart};
use crate::wire::rest::{EventPage, EventQuery, Role};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;
const KINDS: [&str; 6] = [
    "operation",
    "agent_started",
    "agent_ended",
    "lost",
    "policy_applied",
    "alarm",
];

pub(super) async fn page(call: Call) -> Response {
    answer(search(&call).await)
}

async fn search(call: &Call) -> Result<EventPage, Failure> {
    call.allow(Role::Viewer)?;
    let query: EventQuery = call.query()?;
    if query.after.is_some() {
        return Err(Failure::bad_request(
            "after is for /api/v1/events/stream: use cursor here",
        ));
    }
    let limit = limit(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let start = query.cursor.as_deref().map(read_cursor).transpose()?;
    let filter = filter(call, query).await?;
    // One more than asked for tells whether there is a page after this one.
    let mut events = call.state.db.events(&filter, start, limit + 1).await?;
    let more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let last = events.last().filter(|_| more);
    let next = last.map(|event| format!("{}.{}", event.time.as_microsecond(), event.id));
    Ok(EventPage { events, next })
}

/// The filter of a query, with its host found.
///
/// # Errors
///
/// 404: no such host; 400: no such kind.
pub(super) async fn filter(call: &Call, query: EventQuery) -> Result<EventFilter, Failure> {
    if let Some(kind) = query.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        let detail = format!("kind `{kind}` is not one of {}", KINDS.join(", "));
        return Err(Failure::bad_request(detail));
    }
    Ok(EventFilter {
        host_ids: call.host_ids(query.host.as_ref()).await?,
        agent: query.agent,
        agent_type: query.agent_type,
        action: query.action,
        verdict: query.verdict,
        enforced: query.enforced,
        severity_min: query.severity,
        policy: query.policy,
        rule: query.rule,
        kind: query.kind,
        resource_part: query.resource,
        exe_part: query.exe,
        user: query.user,
        pid: query.pid,
        since: query.since,
        until: query.until,
    })
}

/// Reads microseconds since 1970, a dot, and a position.
fn read_cursor(text: &str) -> Result<PageStart, Failure> {
    let wrong = || Failure::bad_request(format!("cursor `{text}` is not one that a page gave"));
    let (time, position) = text.split_once('.').ok_or_else(wrong)?;
    let time = time.parse().map_err(|_| wrong())?;
    Ok(PageStart {
        time: Timestamp::from_microsecond(time).map_err(|_| wrong())?,
        position: position.parse().map_err(|_| wrong())?,
    })
}
