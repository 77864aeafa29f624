//! `/api/v1/assignments` and assigning a policy.

use warp::reply::Response;

use super::Call;
use super::auth::id;
use super::error::{Failure, answer, done};
use super::policies::version_of;
use crate::server::db::{NewAssignment, TargetRow};
use crate::server::publish;
use crate::wire::rest::{
    AssignAnswer, AssignRequest, AssignmentList, AssignmentQuery, Host, Role, Target,
};

const AGENT_TYPES_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 256;

pub(super) async fn assign(name: String, call: Call) -> Response {
    answer(put(&name, &call).await)
}

async fn put(name: &str, call: &Call) -> Result<AssignAnswer, Failure> {
    let by = call.allow_change(Role::Operator)?;
    let asked: AssignRequest = call.json()?;
    check(&asked)?;
    let text = version_of(name, asked.version, call).await?.yaml;
    let target = match asked.target {
        Target::All => TargetRow::All,
        Target::Host { host } => TargetRow::Host(call.host(&host).await?.id),
        Target::Label { key, value } => TargetRow::Label { key, value },
    };
    let assignment = call
        .state
        .db
        .assign(
            &by,
            &NewAssignment {
                policy: name.to_owned(),
                version: asked.version,
                target,
                agent_types: asked.agent_types,
                mode: asked.mode,
            },
        )
        .await?;
    let hosts: Vec<Host> = call.state.db.hosts(None, None).await?;
    let bound: Vec<Host> = hosts
        .into_iter()
        .filter(|host| publish::holds(&assignment, host))
        .collect();
    let limits = publish::limits_of(&text, &bound);
    Ok(AssignAnswer {
        assignment,
        hosts: bound.len() as u64,
        limits,
    })
}

fn check(asked: &AssignRequest) -> Result<(), Failure> {
    if asked.agent_types.len() > AGENT_TYPES_MAX {
        let detail = format!("agent_types has more than {AGENT_TYPES_MAX} entries");
        return Err(Failure::bad_request(detail));
    }
    let label = match &asked.target {
        Target::Label { key, value } => [key.as_str(), value.as_str()],
        _ => ["label", ""],
    };
    let texts = asked
        .agent_types
        .iter()
        .map(String::as_str)
        .chain([label[0]]);
    for text in texts {
        if text.is_empty() {
            return Err(Failure::bad_request(
                "agent_types and label keys cannot be empty",
            ));
        }
    }
    let texts = asked.agent_types.iter().map(String::as_str).chain(label);
    for text in texts {
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            let detail = format!("`{}` is not a name", text.escape_debug());
            return Err(Failure::bad_request(detail));
        }
    }
    Ok(())
}

pub(super) async fn list(call: Call) -> Response {
    answer(all(&call).await)
}

async fn all(call: &Call) -> Result<AssignmentList, Failure> {
    call.allow(Role::Viewer)?;
    let query: AssignmentQuery = call.query()?;
    let assignments = call.state.db.assignments(query.policy.as_deref()).await?;
    Ok(AssignmentList { assignments })
}

pub(super) async fn unassign(text: String, call: Call) -> Response {
    done(end(&text, &call).await)
}

async fn end(text: &str, call: &Call) -> Result<(), Failure> {
    let by = call.allow_change(Role::Operator)?;
    if call.state.db.unassign(&by, id("assignment", text)?).await? {
        Ok(())
    } else {
        Err(Failure::not_found("assignment", text))
    }
}
