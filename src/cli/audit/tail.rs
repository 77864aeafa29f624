//! Following the audit through lost connections.

use std::time::Duration;

use http_body_util::BodyExt;

use crate::cli::client::Client;
use crate::cli::{sse, tell};
use crate::exit::{Exit, Failure};
use crate::process::Process;
use crate::wire::rest::{EventPage, EventQuery, EventRecord};

use super::{PAGE_MAX, Printer, collect};

const RETRY_DELAY_MIN: Duration = Duration::from_millis(500);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(10);
/// The server sends a comment at least this often; a silence of twice as long is a dead line.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Prints the newest `lines` events, oldest first, and then follows.
pub(super) async fn run(
    process: &mut Process,
    client: &Client,
    printer: &mut Printer,
    mut query: EventQuery,
    lines: u32,
    follow: bool,
) -> Result<(), Failure> {
    // The position is taken before the first page, so that nothing falls between the two.
    let newest = newest_id(client).await?;
    let page = collect(client, query.clone(), lines).await?;
    for event in page.events.iter().rev() {
        printer.print(process, event)?;
    }
    if !follow {
        return Ok(());
    }
    let printed = page.events.iter().map(|event| event.id).max().unwrap_or(0);
    let mut last = newest.max(printed);
    query.limit = None;
    let mut delay = RETRY_DELAY_MIN;
    loop {
        let before = last;
        match follow_once(process, client, printer, &query, &mut last).await {
            Err(failure) if failure.exit != Exit::Unavailable => return Err(failure),
            outcome => {
                if last > before {
                    delay = RETRY_DELAY_MIN;
                }
                let cause = outcome
                    .err()
                    .map_or("the stream ended".to_owned(), |f| f.message);
                tell(
                    process,
                    &format!("{cause}; trying again in {} ms", delay.as_millis()),
                );
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(RETRY_DELAY_MAX);
    }
}

/// Position of the newest event of all, whatever the filter.
async fn newest_id(client: &Client) -> Result<u64, Failure> {
    let query = EventQuery {
        limit: Some(PAGE_MAX.min(100)),
        ..EventQuery::default()
    };
    let page: EventPage = client.get("events", &query.pairs()).await?;
    Ok(page.events.iter().map(|event| event.id).max().unwrap_or(0))
}

async fn follow_once(
    process: &mut Process,
    client: &Client,
    printer: &mut Printer,
    query: &EventQuery,
    last: &mut u64,
) -> Result<(), Failure> {
    let id = last.to_string();
    let mut body = client
        .stream("events/stream", &query.pairs(), &id)
        .await?
        .into_body();
    let mut parser = sse::Parser::default();
    let broken = |message: String| Failure::new(Exit::Unavailable, message);
    loop {
        let frame = tokio::time::timeout(SILENCE_MAX, body.frame())
            .await
            .map_err(|_| broken("the stream fell silent".to_owned()))?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| broken(format!("the stream broke: {error}")))?;
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        let events = parser
            .push(bytes)
            .map_err(|error| Failure::new(Exit::Protocol, error.to_string()))?;
        for event in events {
            handle(process, printer, &event, last)?;
        }
    }
}

fn handle(
    process: &mut Process,
    printer: &mut Printer,
    event: &sse::Event,
    last: &mut u64,
) -> Result<(), Failure> {
    match serde_json::from_str::<EventRecord>(&event.data) {
        Ok(record) => {
            // A server that resumes a little early must not make a line appear twice.
            if record.id > *last {
                *last = record.id;
                printer.print(process, &record)?;
            }
            Ok(())
        }
        Err(_) if event.name != "message" && event.name != "event" => {
            tell(process, &format!("server: {} {}", event.name, event.data));
            Ok(())
        }
        Err(error) => Err(
            Failure::caused(Exit::Protocol, "cannot read an event", &error)
                .help("the server may be of another version; compare `tyr version` on both sides"),
        ),
    }
}
