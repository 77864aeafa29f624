use std::time::Duration;

use tonic::Streaming;
use tyr::model::verdict::Mode;
use tyr::policy::builtin::DEPUTIES;
use tyr::policy::load::{LoadOptions, load};
use tyr::wire::proto::{EnforcementMode, HeartbeatRequest, PolicySet};
use tyr::wire::rest::{
    ApplyAnswer, ApplyOutcome, AssignAnswer, AssignRequest, AssignmentList, PolicyDiff,
    PolicyDocument, PolicyList, PolicyVersionList, RollbackRequest, Target,
};

use crate::support::server::TestServer;

fn policy(name: &str, path: &str) -> String {
    format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: {name}\nspec:\n  rules:\n    \
         - name: guard\n      action: file_read\n      resource_pattern: \"{path}\"\n      \
         verdict: deny\n"
    )
}

async fn apply(server: &TestServer, yaml: &str) -> ApplyAnswer {
    server
        .admin
        .call(hyper::Method::POST, "policies", yaml.to_owned())
        .await
        .ok()
}

async fn assign(server: &TestServer, name: &str, target: Target, mode: Mode) -> AssignAnswer {
    let request = AssignRequest {
        target,
        agent_types: Vec::new(),
        mode,
        version: None,
    };
    server
        .admin
        .post(&format!("policies/{name}/assign"), &request)
        .await
}

/// Names of all policies but those that come with Tyr.
async fn own_policies(server: &TestServer) -> Vec<String> {
    let list: PolicyList = server.admin.get("policies").await;
    let names = list.policies.into_iter().map(|policy| policy.name);
    names.filter(|name| name != DEPUTIES).collect()
}

async fn next(sets: &mut Streaming<PolicySet>) -> PolicySet {
    let set = tokio::time::timeout(Duration::from_secs(10), sets.message()).await;
    set.expect("a set comes")
        .expect("the stream is open")
        .expect("it goes on")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_apply_of_a_new_text_is_a_version() {
    let server = TestServer::start().await;
    let one = |answer: &ApplyAnswer| (answer.policies[0].version, answer.policies[0].outcome);
    let dry = server
        .admin
        .call(
            hyper::Method::POST,
            "policies?dry_run=true",
            policy("p", "/a"),
        )
        .await
        .ok::<ApplyAnswer>();
    assert_eq!((one(&dry), dry.dry_run), ((1, ApplyOutcome::Created), true));
    assert!(own_policies(&server).await.is_empty());

    let first = apply(&server, &policy("p", "/a")).await;
    assert_eq!(one(&first), (1, ApplyOutcome::Created));
    assert_eq!(first.policies[0].assignments, 0, "applying assigns nothing");
    assert_eq!(
        one(&apply(&server, &policy("p", "/a")).await),
        (1, ApplyOutcome::Unchanged)
    );
    assert_eq!(
        one(&apply(&server, &policy("p", "/b")).await),
        (2, ApplyOutcome::Updated)
    );

    let old: PolicyDocument = server.admin.get("policies/p?version=1").await;
    assert!(old.yaml.contains("/a"));
    let new: PolicyDocument = server.admin.get("policies/p").await;
    assert_eq!(
        (new.version.version, new.version.created_by.as_str()),
        (2, "admin")
    );
    let diff: PolicyDiff = server.admin.get("policies/p/diff").await;
    assert_eq!((diff.from, diff.to), (1, 2));
    assert!(
        diff.unified.contains("-      resource_pattern: \"/a\""),
        "{}",
        diff.unified
    );
    assert!(
        diff.unified.contains("+      resource_pattern: \"/b\""),
        "{}",
        diff.unified
    );
    let same: PolicyDiff = server.admin.get("policies/p/diff?from=2&to=2").await;
    assert_eq!(same.unified, "");

    let request = RollbackRequest { version: 1 };
    let back: PolicyDocument = server.admin.post("policies/p/rollback", &request).await;
    assert_eq!(
        (back.version.version, back.version.rollback_of),
        (3, Some(1))
    );
    assert_eq!(back.yaml, old.yaml);
    let history: PolicyVersionList = server.admin.get("policies/p/versions").await;
    let numbers: Vec<u64> = history
        .versions
        .iter()
        .map(|version| version.version)
        .collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(history.versions[0].sha256, history.versions[2].sha256);

    server.admin.try_get("policies/q").await.refused(404);
    server
        .admin
        .try_get("policies/p/versions/1")
        .await
        .refused(404);
    let missing = server
        .admin
        .try_get("policies/p?version=9")
        .await
        .refused(404);
    assert!(missing.detail.contains("newest is 3"), "{}", missing.detail);
    let request = RollbackRequest { version: 9 };
    server
        .admin
        .try_post("policies/p/rollback", &request)
        .await
        .refused(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_applies_at_once_are_fifty_versions() {
    let server = TestServer::start().await;
    let texts: Vec<String> = (0..50)
        .map(|number| policy("p", &format!("/{number}")))
        .collect();
    let applies = texts.iter().map(|text| apply(&server, text));
    let mut versions: Vec<u64> = futures_util::future::join_all(applies)
        .await
        .iter()
        .map(|answer| answer.policies[0].version)
        .collect();
    versions.sort();
    assert_eq!(versions, (1..=50).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_applied_whole_or_not_at_all() {
    let server = TestServer::start().await;
    let good = format!("{}---\n{}", policy("a", "/a"), policy("b", "/b"));
    let answer = apply(&server, &good).await;
    let names: Vec<&str> = answer
        .policies
        .iter()
        .map(|policy| policy.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let half = format!("{}---\nkind: Policy\n", policy("c", "/c"));
    let refused = server
        .admin
        .call(hyper::Method::POST, "policies", half)
        .await
        .refused(400);
    assert!(!refused.problems.is_empty());
    assert_eq!(own_policies(&server).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_lists_the_problems_of_the_library() {
    let server = TestServer::start().await;
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bomb = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]\n".to_owned();
    let mut cases: Vec<Vec<u8>> = crate::policy::malformed::files()
        .iter()
        .map(|path| std::fs::read(path).expect("the file can be read"))
        .collect();
    cases.extend([
        Vec::new(),
        b"\xff\xfe not utf-8".to_vec(),
        b"kind: [".to_vec(),
        b"\tkind: Policy".to_vec(),
        b"kind: Policy\nkind: Policy\n".to_vec(),
        deep.into_bytes(),
        bomb.into_bytes(),
        vec![b'a'; 10 * 1024 * 1024],
        policy("p", "/a[").into_bytes(),
        policy("p", "/a").replace("deny", "denied").into_bytes(),
        policy("p", "/a").replace("action:", "acton:").into_bytes(),
        policy("p", "/a")
            .replace("kind: Policy", "kind: Polcy\nextra: 1")
            .into_bytes(),
    ]);
    for case in cases {
        let shown = String::from_utf8_lossy(&case[..case.len().min(60)]).into_owned();
        let expected = load("f.yaml", &case, &LoadOptions::default()).expect_err(&shown);
        let path = "policies?source=f.yaml";
        let refused = server
            .admin
            .call(hyper::Method::POST, path, case)
            .await
            .refused(400);
        assert_eq!(refused.problems, expected, "{shown}");
        assert_eq!(refused.kind, "urn:tyr:problem:policy");
    }
    assert!(own_policies(&server).await.is_empty());
    let health = server.admin.try_get("/health").await;
    assert_eq!(health.status.as_u16(), 200, "and the server lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watching_host_gets_the_whole_set_at_every_change() {
    let server = TestServer::start().await;
    let host = server.host("watcher").await;
    let other = server.host("other").await;
    let mut sets = host.watch(&server).await.expect("watching");
    let mut revision = 0;
    let mut holds = async || {
        let set = next(&mut sets).await;
        assert!(set.revision > revision, "revisions grow");
        revision = set.revision;
        let names = set
            .policies
            .iter()
            .filter(|p| p.name != DEPUTIES)
            .map(|p| (p.name.clone(), p.version, p.mode().into()));
        names.collect::<Vec<(String, u64, i32)>>()
    };
    let (enforce, monitor) = (1, 2);
    let p = |version, mode| ("p".to_owned(), version, mode);
    assert_eq!(holds().await, [], "the first set comes at once");

    apply(&server, &policy("p", "/a")).await;
    let all = assign(&server, "p", Target::All, Mode::Monitor).await;
    assert_eq!((all.hosts, all.assignment.mode), (2, Mode::Monitor));
    assert_eq!(holds().await, [p(1, monitor)]);
    apply(&server, &policy("p", "/b")).await;
    assert_eq!(
        holds().await,
        [p(2, monitor)],
        "without a version the newest holds"
    );

    let target = Target::Host {
        host: "watcher".to_owned(),
    };
    let own = assign(&server, "p", target, Mode::Enforce).await;
    assert_eq!(
        own.assignment.target,
        Target::Host {
            host: host.id.to_string()
        }
    );
    assert_eq!(
        holds().await,
        [p(2, enforce)],
        "the host's own assignment goes first"
    );
    let pinned = AssignRequest {
        target: Target::Host {
            host: host.id.to_string(),
        },
        agent_types: Vec::new(),
        mode: Mode::Enforce,
        version: Some(1),
    };
    server
        .admin
        .post::<AssignAnswer>("policies/p/assign", &pinned)
        .await;
    assert_eq!(holds().await, [p(1, enforce)], "assigning again replaces");
    let label = Target::Label {
        key: "env".to_owned(),
        value: "prod".to_owned(),
    };
    assign(&server, "p", label, Mode::Monitor).await;
    assert_eq!(holds().await, [p(1, enforce)]);
    let list: AssignmentList = server.admin.get("assignments?policy=p").await;
    assert_eq!(list.assignments.len(), 3);

    let gone = server
        .admin
        .delete(&format!("assignments/{}", own.assignment.id))
        .await;
    assert_eq!(gone.status.as_u16(), 204);
    assert_eq!(holds().await, [p(2, monitor)]);
    let beat = HeartbeatRequest {
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        ..HeartbeatRequest::default()
    };
    let before = server
        .admin
        .get::<AssignmentList>("assignments?policy=p")
        .await
        .assignments
        .len();
    host.health(&server)
        .heartbeat(beat.clone())
        .await
        .expect("heard");
    assert_eq!(holds().await, [p(2, monitor)], "its labels changed");
    assert_eq!(before, 2);
    let mut others = other.watch(&server).await.expect("watching");
    assert_eq!(next(&mut others).await.policies.len(), 2);
    host.health(&server)
        .heartbeat(beat)
        .await
        .expect("the same labels change nothing");
    let quiet = tokio::time::timeout(Duration::from_millis(300), others.message()).await;
    assert!(quiet.is_err(), "no set without a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hosts_do_not_enforce_is_said() {
    let server = TestServer::start().await;
    let host = server.host("observer").await;
    let beat = HeartbeatRequest {
        mode: EnforcementMode::Observe.into(),
        limits: vec!["the kernel has no BPF LSM".to_owned()],
        ..HeartbeatRequest::default()
    };
    host.health(&server).heartbeat(beat).await.expect("heard");
    let tls = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: t\nspec:\n  rules:\n    \
        - name: no-tls\n      action: tls_connect\n      verdict: deny\n";
    let answer = apply(&server, tls).await;
    assert_eq!(answer.limits.len(), 1);
    assert_eq!(answer.limits[0].rule.as_deref(), Some("no-tls"));
    assert!(answer.limits[0].reason.contains("--tls-capture"));
    let assigned = assign(&server, "t", Target::All, Mode::Enforce).await;
    let said = assigned
        .limits
        .iter()
        .find(|limit| limit.host_id == Some(host.id));
    let said = &said.expect("the host's limit").reason;
    assert!(
        said.contains("only observes") && said.contains("no BPF LSM"),
        "{said}"
    );
    let again = apply(&server, &tls.replace("no-tls", "none")).await;
    assert!(
        again
            .limits
            .iter()
            .any(|limit| limit.hostname == "observer")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_names_what_there_is() {
    let server = TestServer::start().await;
    apply(&server, &policy("p", "/a")).await;
    let request = |target: &str, more: &str| format!("{{\"target\":{target}{more}}}");
    let all = "{\"kind\":\"all\"}";
    for (path, body, status) in [
        ("policies/q/assign", request(all, ""), 404),
        ("policies/p/assign", request(all, ",\"version\":7"), 404),
        (
            "policies/p/assign",
            request("{\"kind\":\"host\",\"host\":\"nobody\"}", ""),
            404,
        ),
        ("policies/p/assign", request("{\"kind\":\"some\"}", ""), 400),
        ("policies/p/assign", request(all, ",\"mode\":\"off\""), 400),
        (
            "policies/p/assign",
            request(all, ",\"agent_types\":[\"\"]"),
            400,
        ),
        ("policies/p/assign", request(all, ",\"agents\":[]"), 400),
        ("policies/p/assign", "{".to_owned(), 400),
    ] {
        server
            .admin
            .call(hyper::Method::POST, path, body.clone())
            .await
            .refused(status);
    }
    let unknown = format!("assignments/{}", uuid::Uuid::nil());
    server.admin.delete(&unknown).await.refused(404);
    server
        .admin
        .delete("assignments/nothing")
        .await
        .refused(404);
}
