//! `/api/v1/events/stream`: the audit as it grows, by server-sent events.
//!
//! A reader is a position in the order of commits. Whatever it has not read stays in the table, so
//! a slow reader costs no memory and misses nothing, and a later connection goes on where an
//! earlier one ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::sse;

use super::Call;
use super::auth::Caller;
use super::error::Failure;
use super::events::filter;
use crate::exit::chain;
use crate::server::State;
use crate::server::db::EventFilter;
use crate::wire::rest::{EventQuery, EventRecord, Role};

const READ_MAX: u32 = 500;
const READ_AHEAD_MAX: usize = 64;
const STREAMS_MAX: usize = 256;
/// How often the token of an open stream is looked at again.
const RECHECK: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(15);

static STREAMS: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(STREAMS_MAX)));

pub(super) async fn open(call: Call, last_event_id: Option<String>) -> Response {
    match follow(&call, last_event_id).await {
        Ok(tail) => {
            let alive = sse::keep_alive().interval(KEEPALIVE);
            sse::reply(alive.stream(tail.into_stream())).into_response()
        }
        Err(failure) => failure.into_response(),
    }
}

async fn follow(call: &Call, last_event_id: Option<String>) -> Result<Tail, Failure> {
    call.allow(Role::Viewer)?;
    let query: EventQuery = call.query()?;
    if query.since.is_some()
        || query.until.is_some()
        || query.cursor.is_some()
        || query.limit.is_some()
    {
        let detail = "since, until, cursor and limit are for /api/v1/events: use after here";
        return Err(Failure::bad_request(detail));
    }
    let resumed = last_event_id.as_deref().map(str::parse).transpose();
    let resumed = resumed.map_err(|_| Failure::bad_request("Last-Event-ID is not a number"))?;
    let permit = Arc::clone(&STREAMS).try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS_MAX} streams are open already");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let news = call.state.notices.events.clone();
    // The header is what a browser sends when it connects again, so it goes before the address.
    let position = match resumed.or(query.after) {
        Some(position) => position,
        None => call.state.db.event_position().await?,
    };
    Ok(Tail {
        state: Arc::clone(&call.state),
        caller: call.caller.clone(),
        filter: filter(call, query).await?,
        position,
        read: VecDeque::new(),
        news,
        checked: Instant::now(),
        _permit: permit,
    })
}

/// One reader.
struct Tail {
    state: Arc<State>,
    caller: Caller,
    filter: EventFilter,
    /// Everything up to here has been read.
    position: u64,
    read: VecDeque<EventRecord>,
    news: watch::Receiver<u64>,
    checked: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    /// Reads in a task of its own, as far ahead as the channel is long.
    fn into_stream(mut self) -> ReceiverStream<Result<sse::Event, serde_json::Error>> {
        let (events, stream) = mpsc::channel(READ_AHEAD_MAX);
        tokio::spawn(async move {
            let state = Arc::clone(&self.state);
            let _open = state.metrics.tail();
            loop {
                let event = tokio::select! {
                    () = events.closed() => return,
                    event = self.next() => event,
                };
                let Some(event) = event else { return };
                let message = serde_json::to_string(&event)
                    .map(|text| sse::Event::default().id(event.id.to_string()).data(text));
                if events.send(message).await.is_err() {
                    return;
                }
            }
        });
        ReceiverStream::new(stream)
    }

    /// The next event, when there is one; `None` when the server stops, the token is no longer
    /// valid, or the database fails: the reader then connects again with its last id.
    async fn next(&mut self) -> Option<EventRecord> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            self.news.borrow_and_update();
            if let Err(error) = self.refill().await {
                tracing::warn!(error = %chain(&error), "ended a stream of events");
                return None;
            }
            if !self.read.is_empty() {
                continue;
            }
            let mut stop = self.state.stop.clone();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return None,
                changed = self.news.changed() => changed.ok()?,
                () = tokio::time::sleep(RECHECK) => {}
            }
            if self.checked.elapsed() >= RECHECK {
                self.checked = Instant::now();
                if !self.caller.is_still_valid(&self.state).await.ok()? {
                    return None;
                }
            }
        }
    }

    async fn refill(&mut self) -> Result<(), crate::server::db::DbError> {
        loop {
            let before = self.position;
            let tail = self.state.db.tail(&self.filter, before, READ_MAX).await?;
            self.position = tail.position;
            self.read.extend(tail.events);
            // With a rare filter a long way can lie between matches; it is walked in one go.
            if !self.read.is_empty() || self.position == before {
                return Ok(());
            }
        }
    }
}
