//! HostService.

use tonic::{Request, Response, Status};

use super::identity::{certificate, not_admitted};
use super::{Service, internal};
use crate::server::db::{HeartbeatRow, SeenAgent, stored_text, stored_time};
use crate::server::enroll::check_labels;
use crate::wire::proto::host_service_server::HostService;
use crate::wire::proto::{AgentSession, EnforcementMode, HeartbeatRequest, HeartbeatResponse};
use crate::wire::rest::Enforcement;

const TEXTS_MAX: usize = 1_000;
const COUNTERS_MAX: usize = 1_000;
const AGENTS_MAX: usize = 10_000;

#[tonic::async_trait]
impl HostService for Service {
    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let host = certificate(&request)?;
        let said = row(request.get_ref())?;
        let kept = self.state.db.heartbeat(host.host_id, &said).await;
        if kept.map_err(|error| internal(&error))? {
            Ok(Response::new(HeartbeatResponse {}))
        } else {
            Err(not_admitted())
        }
    }
}

fn row(said: &HeartbeatRequest) -> Result<HeartbeatRow, Status> {
    bound("limits", said.limits.len(), TEXTS_MAX)?;
    bound("policy_problems", said.policy_problems.len(), TEXTS_MAX)?;
    bound("counters", said.counters.len(), COUNTERS_MAX)?;
    bound("agents", said.agents.len(), AGENTS_MAX)?;
    let labels = said
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    check_labels(&labels).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let enforcement = match said.mode() {
        EnforcementMode::Unspecified => Enforcement::Unknown,
        EnforcementMode::Lsm => Enforcement::Lsm,
        EnforcementMode::FmodRet => Enforcement::FmodRet,
        EnforcementMode::Observe => Enforcement::Observe,
    };
    Ok(HeartbeatRow {
        version: text(&said.version),
        kernel: text(&said.kernel),
        boot_id: text(&said.boot_id),
        enforcement,
        limits: said.limits.iter().map(|limit| text(limit)).collect(),
        policy_revision: said.policy_revision,
        generation: said.generation,
        policy_problems: said
            .policy_problems
            .iter()
            .map(|problem| text(problem))
            .collect(),
        counters: said
            .counters
            .iter()
            .map(|(name, value)| (text(name), *value))
            .collect(),
        labels,
        hostname: text(&said.hostname),
        agents: said.agents.iter().map(session).collect(),
    })
}

fn session(agent: &AgentSession) -> SeenAgent {
    SeenAgent {
        id: text(&agent.id),
        agent_type: text(&agent.agent_type),
        root_pid: agent.root_pid,
        exe: text(&agent.exe),
        user: text(&agent.user),
        evidence: text(&agent.evidence),
        started_at: stored_time(agent.started_ns),
    }
}

fn text(said: &str) -> String {
    stored_text(said).into_owned()
}

fn bound(field: &str, count: usize, most: usize) -> Result<(), Status> {
    if count > most {
        let message = format!("{field} has {count} entries, the most is {most}");
        return Err(Status::invalid_argument(message));
    }
    Ok(())
}
