use proptest::prelude::*;
use prost::Message;

use super::{ConvertError, decode_event, encode_event};
use crate::model::action::Action;
use crate::model::event::{AgentRef, Ancestor, Body, Event, Operation, Process};
use crate::model::verdict::{Mode, Severity, Verdict};
use crate::wire::proto;

fn process() -> impl Strategy<Value = Process> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    let texts = (
        any::<String>(),
        any::<String>(),
        any::<String>(),
        any::<String>(),
    );
    let ancestors = prop::collection::vec(
        (any::<u32>(), any::<String>()).prop_map(|(pid, exe)| Ancestor { pid, exe }),
        0..4,
    );
    (
        numbers,
        texts,
        prop::collection::vec(any::<String>(), 0..4),
        ancestors,
    )
        .prop_map(
            |(
                (pid, parent_pid, start_boot_ns, uid),
                (user, exe, comm, container),
                args,
                lineage,
            )| {
                Process {
                    pid,
                    parent_pid,
                    start_boot_ns,
                    uid,
                    user,
                    exe,
                    comm,
                    args,
                    container,
                    lineage,
                }
            },
        )
}

fn operation() -> impl Strategy<Value = Operation> {
    let what = (
        prop::sample::select(Action::ALL.to_vec()),
        prop::sample::select(vec![Verdict::Allow, Verdict::Alert, Verdict::Deny]),
        prop::sample::select(vec![
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ]),
        any::<bool>(),
        1..u64::MAX,
    );
    let who = (
        any::<Option<String>>(),
        any::<Option<u64>>(),
        any::<Option<String>>(),
    );
    (what, who, any::<String>(), any::<String>()).prop_map(
        |((action, verdict, severity, enforced, count), who, resource, reason)| Operation {
            action,
            resource,
            verdict,
            enforced,
            severity,
            reason,
            count,
            policy: who.0,
            policy_version: who.1,
            rule: who.2,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let texts = || prop::collection::vec(any::<String>(), 0..3);
    prop_oneof![
        operation().prop_map(Body::Operation),
        any::<String>().prop_map(|evidence| Body::AgentStarted { evidence }),
        Just(Body::AgentEnded),
        (any::<String>(), any::<u64>()).prop_map(|(cause, count)| Body::Lost { cause, count }),
        (any::<u32>(), texts(), texts()).prop_map(|(generation, policies, limits)| {
            Body::PolicyApplied {
                generation,
                policies,
                limits,
            }
        }),
        any::<String>().prop_map(|message| Body::Alarm { message }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let agent = prop::option::of(
        (any::<String>(), any::<String>()).prop_map(|(id, agent_type)| AgentRef { id, agent_type }),
    );
    (any::<i64>(), any::<u64>(), process(), agent, body()).prop_map(
        |(time_ns, boot_ns, process, agent, body)| Event {
            time_ns,
            boot_ns,
            process,
            agent,
            body,
        },
    )
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was(event in event()) {
        prop_assert_eq!(decode_event(&encode_event(&event)).expect("own encoding"), event);
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(event) = decode_event(&bytes) {
            prop_assert_eq!(decode_event(&encode_event(&event)).expect("own encoding"), event);
        }
    }
}

fn message() -> proto::Event {
    proto::Event {
        process: Some(proto::Process::default()),
        body: Some(proto::event::Body::Operation(proto::Operation {
            action: 1,
            verdict: 1,
            severity: 1,
            count: 1,
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn refusal(change: impl FnOnce(&mut proto::Event, &mut proto::Operation)) -> String {
    let mut event = message();
    let Some(proto::event::Body::Operation(mut operation)) = event.body.take() else {
        panic!("the message holds an operation");
    };
    change(&mut event, &mut operation);
    event.body = Some(proto::event::Body::Operation(operation));
    let refused: Result<Event, ConvertError> = decode_event(&event.encode_to_vec());
    refused.expect_err("the message is refused").to_string()
}

#[test]
fn what_the_model_cannot_hold_is_refused_by_name() {
    assert!(decode_event(&message().encode_to_vec()).is_ok());
    assert!(refusal(|_, o| o.action = 0).contains("operation.action"));
    assert!(refusal(|_, o| o.action = 6).contains("operation.action"));
    assert!(refusal(|_, o| o.verdict = 0).contains("operation.verdict"));
    assert!(refusal(|_, o| o.severity = 5).contains("operation.severity"));
    assert!(refusal(|_, o| o.count = 0).contains("operation.count"));
    assert!(refusal(|e, _| e.process = None).contains("process"));
    assert!(matches!(
        decode_event(&[]),
        Err(ConvertError::Missing("process"))
    ));
}

#[test]
fn modes_come_back() {
    for mode in [Mode::Enforce, Mode::Monitor] {
        assert_eq!(
            Mode::try_from(proto::Mode::from(mode)).expect("own conversion"),
            mode
        );
    }
    assert!(Mode::try_from(proto::Mode::Unspecified).is_err());
}
