//! The server itself: health, metrics, CA, who am I.

use warp::Reply;
use warp::http::StatusCode;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::Response;

use super::Call;
use super::error::{Failure, answer};
use crate::wire::rest::{Health, Role, WhoAmI};

pub(super) async fn health(call: Call) -> Response {
    let database = call.state.db.is_up().await;
    let health = Health {
        status: if database { "ok" } else { "degraded" }.to_owned(),
        version: crate::version::VERSION.to_owned(),
        server_name: call.state.config.all_names().swap_remove(0),
        database,
    };
    let status = if database {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    warp::reply::with_status(warp::reply::json(&health), status).into_response()
}

pub(super) async fn metrics(call: Call) -> Response {
    let fleet = call.state.db.fleet().await.ok();
    text(
        call.state.metrics.text(fleet.as_ref()),
        "text/plain; version=0.0.4; charset=utf-8",
    )
}

pub(super) async fn ca(call: Call) -> Response {
    text(
        call.state.authority.pem().to_owned(),
        "application/x-pem-file",
    )
}

pub(super) async fn whoami(call: Call) -> Response {
    answer(found(&call))
}

fn found(call: &Call) -> Result<WhoAmI, Failure> {
    let principal = call.allow(Role::Viewer)?.clone();
    let (name, role, expires_at) = (principal.name, principal.role, principal.expires_at);
    Ok(WhoAmI {
        name,
        role,
        expires_at,
    })
}

fn text(text: String, kind: &'static str) -> Response {
    let mut response = text.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
