//! REST for people and programs. Routes are here and nowhere else; handlers are below.

mod agents;
mod assignments;
mod auth;
mod changes;
mod error;
mod events;
mod hosts;
mod listen;
mod page;
mod policies;
mod stream;
mod system;
mod tokens;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::State;
use auth::Caller;
use error::Failure;

pub use listen::start;

/// What a handler gets besides its path.
struct Call {
    state: Arc<State>,
    caller: Caller,
    /// Text after the `?`.
    query: String,
    body: Bytes,
}

type Routes = warp::filters::BoxedFilter<(Response,)>;

/// Everything below `/`.
fn routes(state: &Arc<State>) -> Routes {
    system_routes(state)
        .or(host_routes(state))
        .unify()
        .or(policy_routes(state))
        .unify()
        .or(event_routes(state))
        .unify()
        .or(token_routes(state))
        .unify()
        .recover(recover)
        .unify()
        .boxed()
}

fn system_routes(state: &Arc<State>) -> Routes {
    let page = warp::path::end()
        .and(warp::get())
        .and(call(state))
        .then(page::show);
    let health = get(warp::path!("health"), state, system::health);
    let metrics = get(warp::path!("metrics"), state, system::metrics);
    let ca = get(warp::path!("api" / "v1" / "ca.pem"), state, system::ca);
    let whoami = get(warp::path!("api" / "v1" / "whoami"), state, system::whoami);
    page.or(health)
        .unify()
        .or(metrics)
        .unify()
        .or(ca)
        .unify()
        .or(whoami)
        .unify()
        .boxed()
}

fn host_routes(state: &Arc<State>) -> Routes {
    let list = get(warp::path!("api" / "v1" / "hosts"), state, hosts::list);
    let show = warp::path!("api" / "v1" / "hosts" / String)
        .and(warp::get())
        .and(call(state))
        .then(hosts::show);
    let revoke = warp::path!("api" / "v1" / "hosts" / String / "revoke")
        .and(warp::post())
        .and(call(state))
        .then(hosts::revoke);
    let break_glass = || warp::path!("api" / "v1" / "hosts" / String / "break-glass");
    let start_break_glass = break_glass()
        .and(warp::post())
        .and(call(state))
        .then(hosts::start_break_glass);
    let end_break_glass = break_glass()
        .and(warp::delete())
        .and(call(state))
        .then(hosts::end_break_glass);
    let agents = get(warp::path!("api" / "v1" / "agents"), state, agents::list);
    let agent = warp::path!("api" / "v1" / "agents" / String)
        .and(warp::get())
        .and(call(state))
        .then(agents::show);
    list.or(show)
        .unify()
        .or(revoke)
        .unify()
        .or(start_break_glass)
        .unify()
        .or(end_break_glass)
        .unify()
        .or(agents)
        .unify()
        .or(agent)
        .unify()
        .boxed()
}

fn policy_routes(state: &Arc<State>) -> Routes {
    let policies = || warp::path!("api" / "v1" / "policies" / ..);
    let one = || policies().and(warp::path::param::<String>());
    let end = || warp::path::end();
    let apply = policies()
        .and(end())
        .and(warp::post())
        .and(call(state))
        .then(policies::apply);
    let list = policies()
        .and(end())
        .and(warp::get())
        .and(call(state))
        .then(policies::list);
    let show = one()
        .and(end())
        .and(warp::get())
        .and(call(state))
        .then(policies::show);
    let at = |name: &'static str| one().and(warp::path(name)).and(end());
    let versions = at("versions")
        .and(warp::get())
        .and(call(state))
        .then(policies::versions);
    let diff = at("diff")
        .and(warp::get())
        .and(call(state))
        .then(policies::diff);
    let rollback = at("rollback")
        .and(warp::post())
        .and(call(state))
        .then(policies::rollback);
    let switch = at("switch")
        .and(warp::post())
        .and(call(state))
        .then(policies::switch);
    let assign = at("assign")
        .and(warp::post())
        .and(call(state))
        .then(assignments::assign);
    let assignments = get(
        warp::path!("api" / "v1" / "assignments"),
        state,
        assignments::list,
    );
    let unassign = warp::path!("api" / "v1" / "assignments" / String)
        .and(warp::delete())
        .and(call(state))
        .then(assignments::unassign);
    apply
        .or(list)
        .unify()
        .or(show)
        .unify()
        .or(versions)
        .unify()
        .or(diff)
        .unify()
        .or(rollback)
        .unify()
        .or(switch)
        .unify()
        .or(assign)
        .unify()
        .or(assignments)
        .unify()
        .or(unassign)
        .unify()
        .boxed()
}

fn event_routes(state: &Arc<State>) -> Routes {
    let page = get(warp::path!("api" / "v1" / "events"), state, events::page);
    let stream = warp::path!("api" / "v1" / "events" / "stream")
        .and(warp::get())
        .and(call(state))
        .and(warp::header::optional::<String>("last-event-id"))
        .then(stream::open);
    let changes = get(warp::path!("api" / "v1" / "changes"), state, changes::page);
    page.or(stream).unify().or(changes).unify().boxed()
}

fn token_routes(state: &Arc<State>) -> Routes {
    let enrollment = || warp::path!("api" / "v1" / "enrollment-tokens" / ..);
    let api = || warp::path!("api" / "v1" / "api-tokens" / ..);
    let end = || warp::path::end();
    let create_enrollment = enrollment()
        .and(end())
        .and(warp::post())
        .and(call(state))
        .then(tokens::create_enrollment);
    let list_enrollment = enrollment()
        .and(end())
        .and(warp::get())
        .and(call(state))
        .then(tokens::list_enrollment);
    let revoke_enrollment = enrollment()
        .and(warp::path::param::<String>())
        .and(end())
        .and(warp::delete())
        .and(call(state))
        .then(tokens::revoke_enrollment);
    let create_api = api()
        .and(end())
        .and(warp::post())
        .and(call(state))
        .then(tokens::create_api);
    let list_api = api()
        .and(end())
        .and(warp::get())
        .and(call(state))
        .then(tokens::list_api);
    let revoke_api = api()
        .and(warp::path::param::<String>())
        .and(end())
        .and(warp::delete())
        .and(call(state))
        .then(tokens::revoke_api);
    create_enrollment
        .or(list_enrollment)
        .unify()
        .or(revoke_enrollment)
        .unify()
        .or(create_api)
        .unify()
        .or(list_api)
        .unify()
        .or(revoke_api)
        .unify()
        .boxed()
}

/// A GET without parts in its path.
fn get<P, H, A>(path: P, state: &Arc<State>, handler: H) -> Routes
where
    P: Filter<Extract = (), Error = Rejection> + Clone + Send + Sync + 'static,
    H: Fn(Call) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    path.and(warp::get()).and(call(state)).then(handler).boxed()
}

fn call(state: &Arc<State>) -> impl Filter<Extract = (Call,), Error = Rejection> + Clone + use<> {
    let state = Arc::clone(state);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::ext::get::<Caller>()
        .and(query)
        .and(warp::body::bytes())
        .map(move |caller, query, body| Call {
            state: Arc::clone(&state),
            caller,
            query,
            body,
        })
}

/// What no route takes.
async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let failure = if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not take this method",
        )
    } else if rejection.is_not_found() {
        Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    } else {
        Failure::bad_request("the request cannot be read")
    };
    Ok(failure.into_response())
}
