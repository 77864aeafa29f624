//! `/api/v1/hosts`.

use warp::reply::Response;

use super::Call;
use super::error::{Failure, answer};
use crate::wire::rest::{Host, HostList, Role};

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
