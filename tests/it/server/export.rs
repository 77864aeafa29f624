use std::collections::BTreeSet;

use tonic::Code;
use tyr::model::action::Action;
use tyr::model::event::Body;
use tyr::model::verdict::Verdict;
use tyr::wire::proto::Record;
use tyr::wire::rest::{Agent, EventPage, EventRecord, Host as HostAnswer};

use crate::support::host::{Spool, event, operation};
use crate::support::server::{TestServer, config};

async fn kept(server: &TestServer, host: &str) -> Vec<EventRecord> {
    let page: EventPage = server
        .admin
        .get(&format!("events?host={host}&limit=1000"))
        .await;
    assert_eq!(page.next, None);
    page.events
}

async fn acknowledged(server: &TestServer, host: &str) -> u64 {
    server
        .admin
        .get::<HostAnswer>(&format!("hosts/{host}"))
        .await
        .acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_kept_once_through_repeats_and_restarts() {
    let mut server = TestServer::start().await;
    let host = server.host("steady").await;
    let mut spool = Spool::default();
    let records = spool.records(100);
    for round in 0..3 {
        let mut export = host.export(&server).await.expect("exporting");
        let known = acknowledged(&server, "steady").await as usize;
        // A daemon that lost the answer sends again, with more; also what is long kept.
        for (from, to) in [(0, 10), (0, 10), (5, 30), (0, 30), (29, 30)] {
            let to = (round * 30 + to).min(records.len());
            let from = (round * 30 + from).min(to);
            let answer = export.send(&records[from..to]).await.expect("taken");
            assert_eq!(answer as usize, to.max(known).max(answer as usize));
            assert!(answer as usize >= to, "all of the batch is kept");
        }
        assert_eq!(
            export.send(&[]).await.expect("an empty batch asks"),
            (round as u64 + 1) * 30
        );
        server = server.restart().await;
    }
    let mut export = host.export(&server).await.expect("exporting");
    assert_eq!(export.send(&records[80..]).await.expect("taken"), 100);
    let events = kept(&server, "steady").await;
    let numbers: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(numbers.len(), 100, "nothing twice");
    assert_eq!(distinct, (1..=100).collect(), "nothing lost");
    let positions: BTreeSet<u64> = events.iter().map(|event| event.id).collect();
    assert_eq!(positions, (1..=100).collect(), "positions have no gaps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_does_not_continue_is_refused() {
    let server = TestServer::start().await;
    let host = server.host("tampered").await;
    let mut spool = Spool::default();
    let records = spool.records(20);
    let mut export = host.export(&server).await.expect("exporting");
    assert_eq!(export.send(&records[..10]).await.expect("kept"), 10);

    let mut forked = Spool {
        sequence: 10,
        chain: [7; 32],
    };
    let mut changed = records[10..].to_vec();
    changed[3].event = records[0].event.clone();
    let mut cut = records[10..].to_vec();
    cut[9].chain.pop();
    let mut rewritten = Spool::default();
    let past = operation(Action::Exec, Verdict::Allow, "/bin/other");
    let past: Vec<Record> = (0..10).map(|_| rewritten.record(&past)).collect();
    for (batch, code) in [
        (forked.records(3), Code::FailedPrecondition),
        (changed, Code::FailedPrecondition),
        (cut, Code::FailedPrecondition),
        (records[12..].to_vec(), Code::FailedPrecondition),
        (past, Code::FailedPrecondition),
        (
            vec![records[11].clone(), records[10].clone()],
            Code::InvalidArgument,
        ),
        (
            vec![records[10].clone(), records[10].clone()],
            Code::InvalidArgument,
        ),
        (
            vec![Record {
                sequence: 0,
                ..records[0].clone()
            }],
            Code::InvalidArgument,
        ),
    ] {
        let mut export = host.export(&server).await.expect("exporting");
        let refused = export.send(&batch).await.expect_err("refused");
        assert_eq!(refused.code(), code, "{refused}");
    }
    assert_eq!(
        acknowledged(&server, "tampered").await,
        10,
        "nothing of them is kept"
    );
    assert_eq!(kept(&server, "tampered").await.len(), 10);
    assert_eq!(
        export
            .send(&records[10..])
            .await
            .expect("the truth is taken"),
        20
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_taken_only_as_a_lost_event_that_covers_it() {
    let server = TestServer::start().await;
    let host = server.host("full").await;
    let mut spool = Spool::default();
    let records = spool.records(12);
    let lost = |sequence: u64, count: u64, chain: &[u8]| {
        let event = event(Body::Lost {
            cause: "spool full".to_owned(),
            count,
        });
        let event = tyr::wire::convert::encode_event(&event);
        Record {
            sequence,
            event,
            chain: chain.to_vec(),
        }
    };
    let mut export = host.export(&server).await.expect("exporting");
    assert_eq!(export.send(&records[..4]).await.expect("kept"), 4);
    // Records 5 to 9 are gone; one count is short by one.
    let short = [lost(9, 4, &records[8].chain), records[9].clone()];
    let refused = export.send(&short).await.expect_err("refused");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let mut export = host.export(&server).await.expect("exporting");
    let whole = [lost(9, 5, &records[8].chain), records[9].clone()];
    assert_eq!(export.send(&whole).await.expect("kept"), 10);
    assert_eq!(export.send(&whole).await.expect("again"), 10);
    assert_eq!(export.send(&records[10..]).await.expect("and on"), 12);
    let events = kept(&server, "full").await;
    let gap = events
        .iter()
        .find(|event| event.kind == "lost")
        .expect("the gap is in the audit");
    assert_eq!((gap.sequence, gap.count), (9, 5));
    assert_eq!(gap.detail["cause"], "spool full");
    assert_eq!(events.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_writes_only_its_own_audit() {
    let server = TestServer::start().await;
    let (ada, ben) = (server.host("ada").await, server.host("ben").await);
    let mut spool = Spool::default();
    let records = spool.records(3);
    let mut as_ada = ada.export(&server).await.expect("exporting");
    assert_eq!(as_ada.send(&records[..2]).await.expect("kept"), 2);
    // The same bytes from another host are that host's: there is no field that could say else.
    let mut as_ben = ben.export(&server).await.expect("exporting");
    assert_eq!(as_ben.send(&records[..1]).await.expect("kept"), 1);
    let refused = as_ben
        .send(&records[2..])
        .await
        .expect_err("not a continuation of ben's");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        kept(&server, "ben")
            .await
            .iter()
            .all(|event| event.host_id == ben.id)
    );
    assert_eq!(kept(&server, "ada").await.len(), 2);
    assert_eq!(acknowledged(&server, "ben").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_bounded() {
    let server = TestServer::start().await;
    let host = server.host("eager").await;
    let mut spool = Spool::default();
    let records = spool.records(10_001);
    let mut export = host.export(&server).await.expect("exporting");
    let refused = export.send(&records).await.expect_err("refused");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let mut export = host.export(&server).await.expect("exporting");
    assert_eq!(export.send(&records[..10_000]).await.expect("kept"), 10_000);
    let mut spool = Spool {
        sequence: 10_000,
        chain: spool_chain(&records[9_999]),
    };
    let huge = spool.raw(vec![0; 6 * 1024 * 1024]);
    let refused = export.send(&[huge]).await.expect_err("refused");
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert_eq!(acknowledged(&server, "eager").await, 10_000);
}

fn spool_chain(record: &Record) -> [u8; 32] {
    record.chain.as_slice().try_into().expect("32 bytes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_is_an_alarm() {
    let server = TestServer::start().await;
    let host = server.host("newer").await;
    let mut spool = Spool::default();
    let records = [
        spool.records(1),
        vec![spool.raw(b"\xff\xff".to_vec())],
        spool.records(1),
    ];
    let mut export = host.export(&server).await.expect("exporting");
    assert_eq!(export.send(&records.concat()).await.expect("kept"), 3);
    let events = kept(&server, "newer").await;
    let alarm = events
        .iter()
        .find(|event| event.sequence == 2)
        .expect("it is there");
    assert_eq!(alarm.kind, "alarm");
    let message = alarm.detail["message"].as_str().expect("a message");
    assert!(message.contains("ffff"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_comes_back_with_every_field() {
    let server = TestServer::start().await;
    let host = server.host("complete").await;
    let mut spool = Spool::default();
    let denied = operation(Action::FileRead, Verdict::Deny, "/home/ada/.ssh/id_rsa");
    let record = spool.record(&denied);
    let mut export = host.export(&server).await.expect("exporting");
    export.send(&[record]).await.expect("kept");
    let found = kept(&server, "complete").await.pop().expect("one event");
    assert_eq!(
        (found.host_id, found.hostname.as_str()),
        (host.id, "complete")
    );
    assert_eq!(
        (found.pid, found.parent_pid, found.uid),
        (4_000, 3_999, 4_294_967_294)
    );
    assert_eq!(found.args, ["cat", "nul \\x00 byte"]);
    assert_eq!(found.lineage, denied.process.lineage);
    assert_eq!(found.agent_type.as_deref(), Some("claude-code"));
    assert_eq!(found.action, Some(Action::FileRead));
    assert_eq!(found.resource.as_deref(), Some("/home/ada/.ssh/id_rsa"));
    assert_eq!(
        (found.verdict, found.enforced),
        (Some(Verdict::Deny), Some(true))
    );
    assert_eq!(found.policy.as_deref(), Some("strict"));
    assert_eq!(
        (found.policy_version, found.rule.as_deref()),
        (Some(3), Some("deny-it"))
    );
    assert_eq!((found.count, found.kind.as_str()), (2, "operation"));
    let micros = denied.time_ns / 1_000;
    assert_eq!(found.time.as_microsecond(), micros);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_told_from_events() {
    let server = TestServer::start().await;
    let host = server.host("busy").await;
    let mut spool = Spool::default();
    let evidence = "executable /usr/bin/claude".to_owned();
    let first = [
        event(Body::AgentStarted {
            evidence: evidence.clone(),
        }),
        operation(Action::FileRead, Verdict::Allow, "/a"),
        operation(Action::FileRead, Verdict::Deny, "/b"),
    ]
    .map(|event| spool.record(&event));
    let second = [
        operation(Action::Exec, Verdict::Alert, "/c"),
        event(Body::AgentEnded),
    ]
    .map(|event| spool.record(&event));
    let mut export = host.export(&server).await.expect("exporting");
    export.send(&first).await.expect("kept");
    let agent: Agent = server.admin.get("agents/session-1").await;
    assert!(agent.live);
    export
        .send(&first)
        .await
        .expect("a repeat counts nothing twice");
    export.send(&second).await.expect("kept");
    let agent: Agent = server.admin.get("agents/session-1").await;
    assert_eq!((agent.allowed, agent.alerted, agent.denied), (2, 2, 2));
    assert_eq!((agent.evidence, agent.live), (evidence, false));
    assert_eq!(
        (agent.root_pid, agent.exe.as_str()),
        (4_000, "/usr/bin/cat")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_one_order() {
    let one = TestServer::start().await;
    let folder = crate::support::postgres::folder();
    let two = tyr::server::start(config(&folder, &one.url))
        .await
        .expect("a second server");
    assert_eq!(two.admin_token, None);
    let address = two.grpc.to_string();
    let hosts = [
        one.host("h0").await,
        one.host("h1").await,
        one.host("h2").await,
    ];
    let sending = hosts.iter().enumerate().map(|(number, host)| {
        let (one, address) = (&one, &address);
        async move {
            let mut spool = Spool::default();
            for round in 0..20 {
                let records = spool.records(7);
                // Every host changes between the servers.
                let answer = if (round + number) % 2 == 0 {
                    host.export(one)
                        .await
                        .expect("exporting")
                        .send(&records)
                        .await
                } else {
                    host.export_to(address)
                        .await
                        .expect("exporting")
                        .send(&records)
                        .await
                };
                assert_eq!(answer.expect("kept"), spool.sequence);
            }
        }
    });
    futures_util::future::join_all(sending).await;
    let page: EventPage = one.admin.get("events?limit=1000").await;
    let positions: BTreeSet<u64> = page.events.iter().map(|event| event.id).collect();
    assert_eq!(positions, (1..=3 * 20 * 7).collect());
    two.stop(std::future::pending()).await;
}
