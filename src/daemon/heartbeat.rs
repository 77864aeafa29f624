//! What the host says about itself, every 30 s and when something changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::wire::proto::host_service_client::HostServiceClient;
use crate::wire::proto::{AgentSession, EnforcementMode, HeartbeatRequest};

use super::kernel::{Enforcement, Kernel};
use super::link::{Backoff, Link};
use super::metrics::Metrics;
use super::roster::Roster;
use super::spool::Spool;
use super::sync::Status;

const INTERVAL: Duration = Duration::from_secs(30);
/// Changes that come together are told together.
const GATHER: Duration = Duration::from_millis(200);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Facts of the host that a heartbeat repeats.
#[derive(Clone, Debug)]
pub struct About {
    pub version: String,
    pub kernel_release: String,
    pub boot_id: String,
    pub hostname: String,
    pub labels: BTreeMap<String, String>,
}

/// Where a heartbeat gets the rest from.
pub struct Sources {
    pub about: About,
    pub kernel: Arc<dyn Kernel>,
    pub roster: Arc<Roster>,
    pub spool: Arc<Spool>,
    pub metrics: Arc<Metrics>,
}

/// Sends heartbeats for as long as the daemon runs.
pub async fn run(mut link: Link, sources: Sources, mut status: watch::Receiver<Status>) {
    let mut backoff = Backoff::default();
    loop {
        let request = request(&sources, &status.borrow_and_update());
        let sent = match link.channel() {
            Ok(channel) => {
                let mut client = HostServiceClient::new(channel);
                let sent = tokio::time::timeout(ANSWER_TIMEOUT, client.heartbeat(request)).await;
                match sent {
                    Ok(answer) => answer
                        .map(drop)
                        .map_err(|status| status.message().to_owned()),
                    Err(_) => Err("no answer in time".to_owned()),
                }
            }
            Err(message) => Err(message),
        };
        match sent {
            Ok(()) => {
                backoff.reset();
                tokio::select! {
                    () = tokio::time::sleep(INTERVAL) => {}
                    changed = status.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        tokio::time::sleep(GATHER).await;
                    }
                }
            }
            Err(message) => {
                tracing::warn!(message, "cannot send a heartbeat");
                tokio::time::sleep(backoff.delay().min(INTERVAL)).await;
            }
        }
    }
}

fn request(sources: &Sources, status: &Status) -> HeartbeatRequest {
    let about = &sources.about;
    let mut limits = sources.kernel.limits();
    if !status.break_glass.is_empty() {
        limits.insert(0, status.break_glass.clone());
    }
    limits.extend(status.limits.iter().cloned());
    let mut counters = sources.metrics.all(sources.kernel.as_ref(), &sources.spool);
    let is_open = u64::from(!status.break_glass.is_empty());
    counters.insert("break_glass".to_owned(), is_open);
    HeartbeatRequest {
        version: about.version.clone(),
        kernel: about.kernel_release.clone(),
        boot_id: about.boot_id.clone(),
        mode: match sources.kernel.enforcement() {
            Enforcement::Lsm => EnforcementMode::Lsm,
            Enforcement::FmodRet => EnforcementMode::FmodRet,
            Enforcement::Observe => EnforcementMode::Observe,
        }
        .into(),
        limits,
        policy_revision: status.revision,
        generation: status.generation,
        policy_problems: status.problems.clone(),
        counters: counters.into_iter().collect(),
        labels: about.labels.clone().into_iter().collect(),
        hostname: about.hostname.clone(),
        agents: agents(&sources.roster),
    }
}

fn agents(roster: &Roster) -> Vec<AgentSession> {
    let agents = roster.agents().into_iter().map(|(_, agent)| AgentSession {
        agent_type: agent.agent_type().to_owned(),
        id: agent.id,
        root_pid: agent.root_pid,
        exe: agent.exe,
        user: agent.user,
        started_ns: agent.started_ns,
        evidence: agent.evidence,
    });
    agents.collect()
}
