use proptest::prelude::*;
use uuid::Uuid;

use super::batch::link;
use super::tally::tally;
use super::{Batch, Refused};
use crate::model::event::{AgentRef, Body, Event, Process};
use crate::server::db::{AuditEnd, NewEvent};
use crate::wire::convert::encode_event;
use crate::wire::proto::{ExportRequest, Record};

fn event(body: Body) -> Event {
    Event {
        time_ns: 1_000_000_000,
        boot_ns: 1,
        process: Process {
            pid: 9,
            exe: "/bin/agent".to_owned(),
            ..Process::default()
        },
        agent: Some(AgentRef {
            id: "s".to_owned(),
            agent_type: "pi".to_owned(),
        }),
        body,
    }
}

/// A whole spool of `count` records.
fn spool(count: u64) -> Vec<Record> {
    let mut chain = [0; 32];
    (1..=count)
        .map(|sequence| {
            let event = encode_event(&event(Body::Alarm {
                message: sequence.to_string(),
            }));
            chain = link(&chain, sequence, &event);
            Record {
                sequence,
                event,
                chain: chain.to_vec(),
            }
        })
        .collect()
}

fn check(records: &[Record]) -> Result<Batch, Refused> {
    Batch::check(
        Uuid::nil(),
        ExportRequest {
            records: records.to_vec(),
        },
    )
}

/// Where the audit ends once the first `count` records are kept.
fn end_after(records: &[Record], count: usize) -> AuditEnd {
    let chain = count
        .checked_sub(1)
        .map(|last| records[last].chain.as_slice());
    AuditEnd {
        host_id: Uuid::nil(),
        admitted: true,
        acknowledged: count as u64,
        chain: chain.map_or([0; 32], |chain| chain.try_into().expect("32 bytes")),
    }
}

proptest! {
    /// Whatever is sent in whatever overlapping pieces: each record once, in order, or a refusal
    /// that changes nothing.
    #[test]
    fn pieces_in_any_order_keep_each_record_once(
        pieces in prop::collection::vec((0_usize..40, 0_usize..40), 1..30),
    ) {
        let records = spool(40);
        let mut end = end_after(&records, 0);
        let mut kept = Vec::new();
        for (a, b) in pieces {
            let (from, to) = (a.min(b), a.max(b));
            let batch = check(&records[from..to]).expect("a piece hangs together");
            let before = end.clone();
            match batch.new_after(&mut end) {
                Ok(new) => kept.extend(new.iter().map(|event| event.sequence)),
                Err(Refused::Missing { .. }) => {
                    prop_assert!(from as u64 > before.acknowledged);
                    prop_assert_eq!(&end, &before);
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
        let expected: Vec<u64> = (1..=end.acknowledged).collect();
        prop_assert_eq!(kept, expected);
        prop_assert_eq!(end.clone(), end_after(&records, end.acknowledged as usize));
    }

    /// No bit of a batch can change unseen.
    #[test]
    fn a_changed_bit_is_refused(record in 0_usize..5, byte in 0_usize..60, bit in 0_u32..8) {
        let mut records = spool(5);
        let mut whole = [records[record].event.clone(), records[record].chain.clone()].concat();
        let byte = byte % whole.len();
        whole[byte] ^= 1 << bit;
        let (event, chain) = whole.split_at(records[record].event.len());
        records[record].event = event.to_vec();
        records[record].chain = chain.to_vec();
        let mut end = end_after(&records, 0);
        let outcome = check(&records).and_then(|batch| batch.new_after(&mut end));
        // The last chain has no successor that would miss it: its record must still match.
        prop_assert!(outcome.is_err());
        prop_assert_eq!(end.acknowledged, 0);
    }
}

#[test]
fn a_session_is_summed_up() {
    let new = |sequence, body| NewEvent {
        host_id: Uuid::nil(),
        sequence,
        event: event(body),
    };
    let evidence = "executable".to_owned();
    let told = tally(&[
        new(
            1,
            Body::AgentStarted {
                evidence: evidence.clone(),
            },
        ),
        new(
            2,
            Body::Alarm {
                message: String::new(),
            },
        ),
        new(3, Body::AgentEnded),
    ]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].id.as_str(), told[0].evidence.as_str()),
        ("s", evidence.as_str())
    );
    assert!(told[0].ended_at.is_some());
    let mut about_host = new(
        4,
        Body::Alarm {
            message: String::new(),
        },
    );
    about_host.event.agent = None;
    assert!(tally(&[about_host]).is_empty());
}
