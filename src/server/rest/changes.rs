//! `/api/v1/changes`.

use warp::reply::Response;

use super::Call;
use super::auth::limit;
use super::error::{Failure, answer};
use crate::wire::rest::{ChangeList, ChangeQuery, Role};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

pub(super) async fn page(call: Call) -> Response {
    answer(read(&call).await)
}

async fn read(call: &Call) -> Result<ChangeList, Failure> {
    call.allow(Role::Admin)?;
    let query: ChangeQuery = call.query()?;
    let limit = limit(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    Ok(ChangeList {
        changes: call.state.db.changes(query.before, limit).await?,
    })
}
