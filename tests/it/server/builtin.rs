use tyr::policy::builtin::{self, Builtin, DEPUTIES, NUMBER_LABEL};
use tyr::policy::switch;
use tyr::server::publish;
use tyr::wire::rest::{
    AssignmentList, ChangeList, PolicyDocument, PolicyList, PolicySummary, PolicyVersionList, Role,
    SwitchRequest,
};

use crate::support::server::TestServer;

fn text() -> &'static str {
    builtin::named(DEPUTIES).expect("it comes with Tyr").text
}

/// The text as a later Tyr might bring it.
fn later(number: u64) -> &'static str {
    let first = builtin::number_of(text());
    let numbered = text().replace(
        &format!("{NUMBER_LABEL}: \"{first}\""),
        &format!("{NUMBER_LABEL}: \"{number}\""),
    );
    let added = "    - name: brought-later\n      description: new\n      action: exec\n      \
                 resource_pattern: /later\n      verdict: deny\n";
    Box::leak(format!("{numbered}{added}").into_boxed_str())
}

async fn seed(server: &TestServer, text: &'static str) {
    let name = DEPUTIES;
    let texts = [Builtin { name, text }];
    publish::seed(&server.state().db, &texts)
        .await
        .expect("seeded");
}

async fn summary(server: &TestServer) -> PolicySummary {
    let list: PolicyList = server.admin.get("policies").await;
    let found = list
        .policies
        .into_iter()
        .find(|policy| policy.name == DEPUTIES);
    found.expect("it is listed")
}

async fn document(server: &TestServer) -> PolicyDocument {
    server.admin.get(&format!("policies/{DEPUTIES}")).await
}

async fn switch(server: &TestServer, rule: &str, enabled: bool) -> PolicyDocument {
    let request = SwitchRequest {
        rule: rule.to_owned(),
        enabled,
        reason: "a test".to_owned(),
    };
    let path = format!("policies/{DEPUTIES}/switch");
    server.admin.post(&path, &request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_there_from_the_first_start_and_made_once() {
    let server = TestServer::start().await;
    let listed = summary(&server).await;
    assert_eq!((listed.version, listed.assignments), (1, 1));
    assert_eq!((listed.updated_by.as_str(), &listed.notice), ("tyr", &None));
    assert_eq!(document(&server).await.yaml, text());
    let server = server.restart().await;
    assert_eq!(
        summary(&server).await.version,
        1,
        "the same text is no news"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_unassigns_it_does_without_it() {
    let server = TestServer::start().await;
    let path = format!("assignments?policy={DEPUTIES}");
    let list: AssignmentList = server.admin.get(&path).await;
    let id = list.assignments[0].id;
    server.admin.delete(&format!("assignments/{id}")).await;
    let server = server.restart().await;
    seed(&server, later(100)).await;
    let listed = summary(&server).await;
    assert_eq!((listed.version, listed.assignments), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_switched_off_and_on() {
    let server = TestServer::start().await;
    let off = switch(&server, "docker-socket", false).await;
    assert_eq!(off.version.version, 2);
    assert_eq!(
        switch::disabled(&off.yaml).expect("a policy"),
        ["docker-socket"]
    );
    assert!(off.yaml.starts_with("# The ways to ask"), "comments stay");
    let again = switch(&server, "docker-socket", false).await;
    assert_eq!(again.version.version, 2, "it was off");
    let on = switch(&server, "docker-socket", true).await;
    assert_eq!(on.version.version, 3);
    assert_eq!(switch::disabled(&on.yaml).expect("a policy"), [""; 0]);
    assert_eq!(summary(&server).await.notice, None, "switches are no edit");

    let changes: ChangeList = server.admin.get("changes").await;
    let what: Vec<&str> = changes
        .changes
        .iter()
        .map(|c| c.what.as_str())
        .take(2)
        .collect();
    assert_eq!(what, ["policy.enable_rule", "policy.disable_rule"]);
    assert_eq!(changes.changes[1].detail["rule"], "docker-socket");
    assert_eq!(changes.changes[1].detail["reason"], "a test");

    let path = format!("policies/{DEPUTIES}/switch");
    let ask = |rule: &str| serde_json::json!({ "rule": rule, "enabled": false });
    let unknown = server
        .admin
        .try_post(&path, &ask("docker"))
        .await
        .refused(404);
    assert!(
        unknown.detail.contains("has no rule `docker`"),
        "{}",
        unknown.detail
    );
    server
        .admin
        .try_post("policies/none/switch", &ask("x"))
        .await
        .refused(404);
    let viewer = server.person(Role::Viewer).await;
    viewer.try_post(&path, &ask("tmux")).await.refused(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_keeps_switches_and_leaves_edits_alone() {
    let server = TestServer::start().await;
    switch(&server, "docker-socket", false).await;
    seed(&server, later(100)).await;
    let upgraded = document(&server).await;
    assert_eq!(upgraded.version.version, 3);
    assert_eq!(upgraded.version.created_by, "tyr");
    assert!(upgraded.yaml.contains("brought-later"));
    assert_eq!(
        switch::disabled(&upgraded.yaml).expect("a policy"),
        ["docker-socket"]
    );

    // A server with the older text beside it changes nothing.
    seed(&server, text()).await;
    assert_eq!(summary(&server).await.version, 3);

    let edited = upgraded
        .yaml
        .replace("/tmp/tmux-*/**", "/tmp/elsewhere-*/**");
    assert_ne!(edited, upgraded.yaml);
    let apply = server
        .admin
        .call(hyper::Method::POST, "policies", edited.clone());
    apply.await.ok::<tyr::wire::rest::ApplyAnswer>();
    let listed = summary(&server).await;
    let notice = listed.notice.expect("it is edited");
    assert!(notice.contains("text 100 is version 3"), "{notice}");

    seed(&server, later(101)).await;
    let kept = document(&server).await;
    assert_eq!(kept.yaml, edited, "what the operator wrote holds");
    assert_eq!(
        (kept.version.version, kept.version.rollback_of),
        (6, Some(4))
    );
    let path = format!("policies/{DEPUTIES}/versions");
    let history: PolicyVersionList = server.admin.get(&path).await;
    assert_eq!(history.versions.len(), 6);
    let notice = summary(&server).await.notice.expect("it is edited");
    assert!(notice.contains("text 101 is version 5"), "{notice}");
    seed(&server, later(101)).await;
    assert_eq!(summary(&server).await.version, 6, "said once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_may_take_the_author_s_name() {
    let server = TestServer::start().await;
    let body = serde_json::json!({ "name": "tyr", "role": "operator" });
    server
        .admin
        .try_post("api-tokens", &body)
        .await
        .refused(400);
}
