//! `/api/v1/hosts`.

use warp::reply::Response;

use super::Call;
use super::error::{Failure, answer, done};
use super::policies::REASON_CHARS_MAX;
use super::tokens::{range, text};
use crate::wire::rest::{BREAK_GLASS_S_MAX, BreakGlassRequest, Host, HostList, Role};

pub(super) async fn list(call: Call) -> Response {
    answer(all(&call).await)
}

async fn all(call: &Call) -> Result<HostList, Failure> {
    call.allow(Role::Viewer)?;
    Ok(HostList {
        hosts: call.state.db.hosts(None, None).await?,
    })
}

pub(super) async fn show(name: String, call: Call) -> Response {
    answer(one(&name, &call).await)
}

async fn one(name: &str, call: &Call) -> Result<Host, Failure> {
    call.allow(Role::Viewer)?;
    call.host(name).await
}

pub(super) async fn revoke(name: String, call: Call) -> Response {
    answer(bar(&name, &call).await)
}

async fn bar(name: &str, call: &Call) -> Result<Host, Failure> {
    let by = call.allow_change(Role::Admin)?;
    let id = call.host(name).await?.id;
    call.state.db.revoke_host(&by, id).await?;
    call.host(&id.to_string()).await
}

pub(super) async fn start_break_glass(name: String, call: Call) -> Response {
    answer(open(&name, &call).await)
}

async fn open(name: &str, call: &Call) -> Result<Host, Failure> {
    let by = call.allow_change(Role::Admin)?;
    let asked: BreakGlassRequest = call.json()?;
    range("seconds", asked.seconds, BREAK_GLASS_S_MAX)?;
    text("reason", &asked.reason, 1, REASON_CHARS_MAX)?;
    let host = call.host(name).await?;
    if host.revoked_at.is_some() {
        return Err(Failure::conflict(format!("host `{name}` is revoked")));
    }
    let db = &call.state.db;
    db.start_break_glass(&by, host.id, asked.seconds, &asked.reason)
        .await?;
    call.host(&host.id.to_string()).await
}

pub(super) async fn end_break_glass(name: String, call: Call) -> Response {
    done(close(&name, &call).await)
}

async fn close(name: &str, call: &Call) -> Result<(), Failure> {
    let by = call.allow_change(Role::Admin)?;
    let host = call.host(name).await?;
    if call.state.db.end_break_glass(&by, host.id).await? {
        return Ok(());
    }
    Err(Failure::conflict(format!(
        "host `{name}` has no break-glass to end"
    )))
}
