use hyper::Method;
use tyr::wire::proto::{AgentSession, EnforcementMode, HeartbeatRequest};
use tyr::wire::rest::{
    AgentList, ApiTokenList, ApiTokenSecret, ChangeList, Enforcement, EnrollmentTokenRequest,
    Health, Host, Role, TokenState, WhoAmI,
};

use crate::support::host::Spool;
use crate::support::server::TestServer;

/// Every route that needs a token, with the least role.
const ROUTES: &[(&str, &str, Role)] = &[
    ("GET", "whoami", Role::Viewer),
    ("GET", "hosts", Role::Viewer),
    ("GET", "hosts/nobody", Role::Viewer),
    ("POST", "hosts/nobody/revoke", Role::Admin),
    ("GET", "agents", Role::Viewer),
    ("GET", "agents/none", Role::Viewer),
    ("POST", "policies", Role::Operator),
    ("GET", "policies", Role::Viewer),
    ("GET", "policies/none", Role::Viewer),
    ("GET", "policies/none/versions", Role::Viewer),
    ("GET", "policies/none/diff", Role::Viewer),
    ("POST", "policies/none/rollback", Role::Operator),
    ("POST", "policies/none/assign", Role::Operator),
    ("GET", "assignments", Role::Viewer),
    ("DELETE", "assignments/none", Role::Operator),
    ("GET", "events", Role::Viewer),
    ("GET", "events/stream?limit=1", Role::Viewer),
    ("POST", "enrollment-tokens", Role::Operator),
    ("GET", "enrollment-tokens", Role::Operator),
    ("DELETE", "enrollment-tokens/none", Role::Operator),
    ("POST", "api-tokens", Role::Admin),
    ("GET", "api-tokens", Role::Admin),
    ("DELETE", "api-tokens/none", Role::Admin),
    ("GET", "changes", Role::Admin),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_wants_its_role() {
    let server = TestServer::start().await;
    let people = [
        (Role::Viewer, server.person(Role::Viewer).await),
        (Role::Operator, server.person(Role::Operator).await),
        (Role::Admin, server.admin.clone()),
    ];
    let nobody = server.admin.with_token("");
    let stranger = server
        .admin
        .with_token(&format!("tyr_at_{}", "0".repeat(40)));
    for (method, path, least) in ROUTES {
        let method: Method = method.parse().expect("a method");
        let refused = nobody.call(method.clone(), path, "").await.refused(401);
        assert!(
            refused.detail.contains("Authorization"),
            "{path}: {}",
            refused.detail
        );
        let refused = stranger.call(method.clone(), path, "").await.refused(401);
        assert!(
            refused.detail.contains("unknown"),
            "{path}: {}",
            refused.detail
        );
        for (role, person) in &people {
            let answer = person.call(method.clone(), path, "").await;
            if role < least {
                let refused = answer.refused(403);
                assert!(
                    refused.detail.contains(least.name()),
                    "{path}: {}",
                    refused.detail
                );
            } else {
                let status = answer.status.as_u16();
                assert!(
                    ![401, 403, 405, 500].contains(&status),
                    "{role} {path}: {status}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_token_is_open() {
    let server = TestServer::start().await;
    let nobody = server.admin.with_token("");
    let health: Health = nobody.get("/health").await;
    assert_eq!((health.status.as_str(), health.database), ("ok", true));
    let ca = nobody.try_get("ca.pem").await;
    assert_eq!(ca.text(), server.state().authority.pem());
    assert!(nobody.try_get("/").await.text().contains("<h1>Tyr server"));
    let host = server.host("counted").await;
    let mut spool = Spool::default();
    host.export(&server)
        .await
        .expect("exporting")
        .send(&spool.records(3))
        .await
        .expect("kept");
    let metrics = nobody.try_get("/metrics").await.text();
    for line in [
        "tyr_events_total 3",
        "tyr_hosts 1",
        "tyr_event_position 3",
        "tyr_database_up 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in:\n{metrics}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_is_a_problem() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    admin.try_get("/nothing").await.refused(404);
    admin.try_get("nothing").await.refused(404);
    admin.call(Method::PUT, "hosts", "").await.refused(405);
    admin.call(Method::POST, "whoami", "").await.refused(405);
    admin
        .call(Method::POST, "api-tokens", "{")
        .await
        .refused(400);
    admin
        .call(Method::POST, "api-tokens", "{\"name\":\"x\"}")
        .await
        .refused(400);
    let body = "{\"name\":\"x\",\"role\":\"viewer\",\"colour\":1}";
    let refused = admin
        .call(Method::POST, "api-tokens", body)
        .await
        .refused(400);
    assert!(refused.detail.contains("colour"), "{}", refused.detail);
    let long = vec![b' '; 70_000];
    admin
        .call(Method::POST, "api-tokens", long)
        .await
        .refused(413);
    // Only who may apply policies can make the server read a long one.
    let nobody = admin.with_token("");
    nobody
        .call(Method::POST, "policies", vec![b' '; 1_000_000])
        .await
        .refused(413);
    for wrong in [
        "uses_max\":0",
        "uses_max\":10001",
        "expires_in_s\":0",
        "expires_in_s\":9999999",
    ] {
        let body = format!("{{\"{wrong}}}");
        admin
            .call(Method::POST, "enrollment-tokens", body)
            .await
            .refused(400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_end_when_they_are_revoked_or_expire() {
    let server = TestServer::start().await;
    let viewer = server.person(Role::Viewer).await;
    let me: WhoAmI = viewer.get("whoami").await;
    assert_eq!((me.name.as_str(), me.role), ("a viewer", Role::Viewer));
    let twice = serde_json::json!({ "name": "a viewer", "role": "viewer" });
    server
        .admin
        .try_post("api-tokens", &twice)
        .await
        .refused(409);
    let list: ApiTokenList = server.admin.get("api-tokens").await;
    let token = list
        .tokens
        .iter()
        .find(|token| token.name == "a viewer")
        .expect("listed");
    let mut tail = viewer.tail("", None).await;
    let gone = server
        .admin
        .delete(&format!("api-tokens/{}", token.id))
        .await;
    assert_eq!(gone.status.as_u16(), 204);
    viewer.try_get("whoami").await.refused(401);
    server
        .admin
        .post::<ApiTokenSecret>("api-tokens", &twice)
        .await;

    let short = serde_json::json!({ "name": "short", "role": "viewer", "expires_in_s": 1 });
    let made: ApiTokenSecret = server.admin.post("api-tokens", &short).await;
    let person = server.admin.with_token(&made.token);
    person.get::<WhoAmI>("whoami").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    person.try_get("whoami").await.refused(401);
    let list: ApiTokenList = server.admin.get("api-tokens").await;
    let states: Vec<(&str, TokenState)> = list
        .tokens
        .iter()
        .map(|token| (token.name.as_str(), token.state))
        .collect();
    assert!(
        states.contains(&("short", TokenState::Expired)),
        "{states:?}"
    );
    assert!(
        states.contains(&("a viewer", TokenState::Revoked)),
        "{states:?}"
    );
    // The stream that the revoked token opened ends within its next check.
    let ended = tokio::time::timeout(std::time::Duration::from_secs(35), tail.next()).await;
    assert!(ended.expect("it ends").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_not_in_the_database() {
    let server = TestServer::start().await;
    let token = server.token(&EnrollmentTokenRequest::default()).await;
    let (client, _driver) = crate::support::postgres::connect(&server.url).await;
    let tables = "SELECT string_agg(t::text, ' ') FROM \
        (SELECT api_tokens::text FROM api_tokens UNION ALL \
         SELECT enrollment_tokens::text FROM enrollment_tokens UNION ALL \
         SELECT changes::text FROM changes) AS t";
    let row = client.query_one(tables, &[]).await.expect("all rows");
    let text: String = row.get(0);
    let secret = token
        .trim_start_matches("tyr_et_")
        .split('.')
        .next()
        .expect("a secret");
    let admin = server.admin.token.trim_start_matches("tyr_at_");
    assert!(text.len() > 200 && secret.len() == 40 && admin.len() == 40);
    assert!(!text.contains(secret) && !text.contains(admin));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_recorded_with_who_and_what() {
    let server = TestServer::start().await;
    let operator = server.person(Role::Operator).await;
    let yaml = "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata:\n  name: p\nspec:\n  rules: []\n";
    operator
        .call(Method::POST, "policies", yaml)
        .await
        .ok::<serde_json::Value>();
    let all = serde_json::json!({ "target": { "kind": "all" } });
    operator
        .post::<serde_json::Value>("policies/p/assign", &all)
        .await;
    server.host("new").await;
    server
        .admin
        .try_post("hosts/new/revoke", &())
        .await
        .ok::<Host>();
    operator
        .try_post("hosts/new/revoke", &())
        .await
        .refused(403);

    let list: ChangeList = server.admin.get("changes").await;
    let found: Vec<(&str, &str)> = list
        .changes
        .iter()
        .rev()
        .map(|change| {
            (
                change.who.split(':').next().unwrap_or_default(),
                change.what.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("tyr", "policy.apply"),
            ("tyr", "policy.assign"),
            ("server", "api_token.create"),
            ("admin", "api_token.create"),
            ("a operator", "policy.apply"),
            ("a operator", "policy.assign"),
            ("admin", "enrollment_token.create"),
            ("enrollment-token", "host.enroll"),
            ("admin", "host.revoke"),
        ]
    );
    assert_eq!(list.changes[0].address, "127.0.0.1");
    let page: ChangeList = server.admin.get("changes?limit=2&before=3").await;
    assert_eq!(page.changes.len(), 2);
    assert!(page.changes.iter().all(|change| change.id < 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_is_shown() {
    let server = TestServer::start().await;
    let host = server.host("alive").await;
    let before: Host = server.admin.get("hosts/alive").await;
    assert!(before.stale && before.enforcement == Enforcement::Unknown);
    assert_eq!(before.labels["env"], "test");
    let session = |id: &str| AgentSession {
        id: id.to_owned(),
        agent_type: "codex".to_owned(),
        root_pid: 7,
        exe: "/usr/bin/codex".to_owned(),
        user: "ada".to_owned(),
        started_ns: 1_000_000_000,
        evidence: "executable".to_owned(),
    };
    let beat = HeartbeatRequest {
        version: "0.1.0".to_owned(),
        kernel: "6.12".to_owned(),
        mode: EnforcementMode::Lsm.into(),
        policy_revision: 1,
        generation: 4,
        counters: [("denied".to_owned(), u64::MAX)].into(),
        agents: vec![session("b"), session("a"), session("a")],
        ..HeartbeatRequest::default()
    };
    host.health(&server)
        .heartbeat(beat.clone())
        .await
        .expect("heard");
    let after: Host = server.admin.get("hosts/alive").await;
    assert!(!after.stale && after.enforcement == Enforcement::Lsm);
    assert_eq!(
        (after.hostname.as_str(), after.kernel.as_str()),
        ("alive", "6.12")
    );
    assert_eq!((after.generation, after.policy_revision), (4, 1));
    assert_eq!((after.counters["denied"], after.agents_live), (u64::MAX, 2));
    let agents: AgentList = server.admin.get("agents?host=alive&live=true").await;
    assert_eq!(agents.agents.len(), 2);
    assert!(
        server
            .admin
            .get::<AgentList>("agents?agent_type=pi")
            .await
            .agents
            .is_empty()
    );
    let refused = host
        .health(&server)
        .heartbeat(HeartbeatRequest {
            limits: vec![String::new(); 1_001],
            ..beat
        })
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_one_name_are_told_apart() {
    let server = TestServer::start().await;
    let first = server.host("twin").await;
    let second = server.host("twin").await;
    let refused = server.admin.try_get("hosts/twin").await.refused(409);
    assert!(refused.detail.contains("by its id"), "{}", refused.detail);
    server
        .admin
        .try_post(&format!("hosts/{}/revoke", first.id), &())
        .await
        .ok::<Host>();
    let left: Host = server.admin.get("hosts/twin").await;
    assert_eq!(left.id, second.id);
    let list: ChangeList = server.admin.get("changes?limit=1000").await;
    let again = list
        .changes
        .iter()
        .find(|c| c.object == second.id.to_string());
    let again = &again.expect("recorded").detail["enrolled_before_as"][0];
    assert_eq!(
        again,
        &first.id.to_string(),
        "a second enrolment of a machine is shown as such"
    );
}
