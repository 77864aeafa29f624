use std::time::Duration;

use tyr::model::action::Action;
use tyr::model::event::Body;
use tyr::model::verdict::{Severity, Verdict};
use tyr::wire::rest::{EventPage, EventQuery, EventRecord, Role};

use crate::support::host::{Host, Spool, event, operation};
use crate::support::server::TestServer;

async fn send(server: &TestServer, host: &Host, spool: &mut Spool, resources: &[&str]) {
    let records: Vec<_> = resources
        .iter()
        .map(|path| spool.record(&operation(Action::FileRead, Verdict::Allow, path)))
        .collect();
    let mut export = host.export(server).await.expect("exporting");
    export.send(&records).await.expect("kept");
}

fn resources(events: &[EventRecord]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event.resource.as_deref().unwrap_or(&event.kind))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_its_filters_say() {
    let server = TestServer::start().await;
    let (one, two) = (server.host("one").await, server.host("two").await);
    let mut spool = Spool::default();
    let mut at = |mut event: tyr::model::event::Event, second: i64| {
        event.time_ns = second * 1_000_000_000;
        spool.record(&event)
    };
    let records = [
        at(
            operation(Action::FileRead, Verdict::Allow, "/a/readme"),
            100,
        ),
        at(
            operation(Action::FileRead, Verdict::Deny, "/a/secret%_"),
            200,
        ),
        at(
            operation(Action::NetConnect, Verdict::Alert, "10.0.0.1:443/tcp"),
            300,
        ),
        at(event(Body::AgentEnded), 400),
    ];
    one.export(&server)
        .await
        .expect("exporting")
        .send(&records)
        .await
        .expect("kept");
    send(&server, &two, &mut Spool::default(), &["/b/other"]).await;

    let viewer = server.person(Role::Viewer).await;
    let find = async |query: &str| -> Vec<String> {
        let page: EventPage = viewer.get(&format!("events?{query}")).await;
        resources(&page.events)
            .iter()
            .map(|text| (*text).to_owned())
            .collect()
    };
    let all = [
        "/b/other",
        "agent_ended",
        "10.0.0.1:443/tcp",
        "/a/secret%_",
        "/a/readme",
    ];
    assert_eq!(find("").await, all, "newest first by the host's clock");
    assert_eq!(find("host=two").await, ["/b/other"]);
    assert_eq!(find(&format!("host={}", two.id)).await, ["/b/other"]);
    assert_eq!(find("verdict=deny").await, ["/a/secret%_"]);
    assert_eq!(
        find("action=net_connect&host=one").await,
        ["10.0.0.1:443/tcp"]
    );
    assert_eq!(find("policy=strict&rule=deny-it").await, ["/a/secret%_"]);
    assert_eq!(find("severity=high").await, ["/a/secret%_"]);
    assert_eq!(find("enforced=true").await, ["/a/secret%_"]);
    assert_eq!(find("kind=agent_ended").await, ["agent_ended"]);
    assert_eq!(
        find("resource=%25_").await,
        ["/a/secret%_"],
        "no character is a wildcard"
    );
    assert_eq!(find("agent=session-1&host=one").await.len(), 4);
    assert_eq!(find("agent_type=codex").await.len(), 0);
    assert_eq!(find("exe=cat&user=ada&pid=4000").await.len(), 5);
    let window = "since=1970-01-01T00:03:20Z&until=1970-01-01T00:05:00Z";
    assert_eq!(
        find(window).await,
        ["/a/secret%_"],
        "since is inclusive, until is not"
    );

    for wrong in [
        "verdict=maybe",
        "verdit=deny",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "kind=thing",
        "since=yesterday",
        "after=3",
        "pid=-1",
    ] {
        let refusal = viewer
            .try_get(&format!("events?{wrong}"))
            .await
            .refused(400);
        assert!(!refusal.detail.is_empty(), "{wrong}");
    }
    viewer.try_get("events?host=nobody").await.refused(404);
    // What the CLI builds from a query is what the server reads.
    let query = EventQuery {
        severity: Some(Severity::High),
        enforced: Some(true),
        limit: Some(5),
        ..EventQuery::default()
    };
    let text: Vec<String> = query
        .pairs()
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(find(&text.join("&")).await, ["/a/secret%_"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_hold_every_event_once() {
    let server = TestServer::start().await;
    let host = server.host("long").await;
    let mut spool = Spool::default();
    let mut records = Vec::new();
    for number in 0..25 {
        let mut event = operation(Action::FileRead, Verdict::Allow, &format!("/{number}"));
        // Many events share one time.
        event.time_ns = 1_000_000_000 * (number / 10);
        records.push(spool.record(&event));
    }
    host.export(&server)
        .await
        .expect("exporting")
        .send(&records)
        .await
        .expect("kept");
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: EventPage = server.admin.get(&format!("events?limit=4{cursor}")).await;
        assert!(page.events.len() <= 4);
        seen.extend(page.events.iter().map(|event| event.sequence));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_goes_on_where_it_ended() {
    let server = TestServer::start().await;
    let host = server.host("live").await;
    let mut spool = Spool::default();
    send(&server, &host, &mut spool, &["/before"]).await;
    let viewer = server.person(Role::Viewer).await;
    let mut tail = viewer.tail("", None).await;
    send(&server, &host, &mut spool, &["/1", "/2"]).await;
    let first = tail.take(2).await;
    assert_eq!(resources(&first), ["/1", "/2"], "from now on, in order");
    drop(tail);
    send(&server, &host, &mut spool, &["/3"]).await;
    let mut tail = viewer.tail("", Some(first[0].id)).await;
    assert_eq!(
        resources(&tail.take(2).await),
        ["/2", "/3"],
        "nothing missed, nothing twice"
    );
    send(&server, &host, &mut spool, &["/4"]).await;
    assert_eq!(resources(&tail.take(1).await), ["/4"]);
    let mut all = viewer.tail("?after=0", None).await;
    assert_eq!(
        resources(&all.take(5).await),
        ["/before", "/1", "/2", "/3", "/4"]
    );

    let mut resumed = all;
    let server = server.restart().await;
    assert!(resumed.next().await.is_none(), "a stop ends the stream");
    let viewer = crate::support::person::Person::new(&server.running, &viewer.token);
    let mut tail = viewer.tail("", Some(4)).await;
    assert_eq!(
        resources(&tail.take(1).await),
        ["/4"],
        "also through a restart"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_has_the_filters_of_a_search() {
    let server = TestServer::start().await;
    let host = server.host("mixed").await;
    let mut tail = server
        .admin
        .tail("?verdict=deny&agent_type=claude-code", None)
        .await;
    let mut spool = Spool::default();
    // More events than one read of the tail, with one match at the very end.
    let mut records = spool.records(1_200);
    records.push(spool.record(&operation(Action::Exec, Verdict::Deny, "/bin/rm")));
    host.export(&server)
        .await
        .expect("exporting")
        .send(&records)
        .await
        .expect("kept");
    let found = tail.take(1).await;
    assert_eq!((resources(&found), found[0].id), (vec!["/bin/rm"], 1_201));
    for wrong in ["?limit=3", "?since=2026-01-01T00:00:00Z", "?verdict=no"] {
        server
            .admin
            .try_get(&format!("events/stream{wrong}"))
            .await
            .refused(400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_hears_of_events_that_another_server_took() {
    let one = TestServer::start().await;
    let folder = crate::support::postgres::folder();
    let config = crate::support::server::config(&folder, &one.url);
    let two = tyr::server::start(config).await.expect("a second server");
    let person = crate::support::person::Person::new(&two, &one.admin.token);
    let mut tail = person.tail("", None).await;
    let host = one.host("elsewhere").await;
    let begun = std::time::Instant::now();
    send(&one, &host, &mut Spool::default(), &["/far"]).await;
    assert_eq!(resources(&tail.take(1).await), ["/far"]);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "by notification, not by polling"
    );
    two.stop(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listening_goes_on_after_the_connection_was_cut() {
    let server = TestServer::start().await;
    let host = server.host("cut").await;
    let mut tail = server.admin.tail("", None).await;
    let (client, _driver) = crate::support::postgres::connect(&server.url).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let rows = client.query(cut, &[]).await.expect("terminated");
    assert_eq!(rows.len(), 1, "one connection listens");
    send(&server, &host, &mut Spool::default(), &["/after-the-cut"]).await;
    assert_eq!(resources(&tail.take(1).await), ["/after-the-cut"]);
}
