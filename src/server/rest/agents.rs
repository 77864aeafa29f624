//! `/api/v1/agents`.

use warp::reply::Response;

use super::Call;
use super::auth::limit;
use super::error::{Failure, answer};
use crate::server::db::AgentFilter;
use crate::wire::rest::{Agent, AgentList, AgentQuery, Role};

const LIMIT_DEFAULT: u32 = 200;
const LIMIT_MAX: u32 = 1_000;

pub(super) async fn list(call: Call) -> Response {
    answer(all(&call).await)
}

async fn all(call: &Call) -> Result<AgentList, Failure> {
    call.allow(Role::Viewer)?;
    let query: AgentQuery = call.query()?;
    let filter = AgentFilter {
        id: None,
        host_ids: call.host_ids(query.host.as_ref()).await?,
        agent_type: query.agent_type,
        live: query.live,
        limit: limit(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?,
    };
    Ok(AgentList {
        agents: call.state.db.agents(&filter).await?,
    })
}

pub(super) async fn show(id: String, call: Call) -> Response {
    answer(one(&id, &call).await)
}

async fn one(id: &str, call: &Call) -> Result<Agent, Failure> {
    call.allow(Role::Viewer)?;
    let filter = AgentFilter {
        id: Some(id.to_owned()),
        limit: 1,
        ..AgentFilter::default()
    };
    let found = call.state.db.agents(&filter).await?.pop();
    found.ok_or_else(|| Failure::not_found("agent session", id))
}
