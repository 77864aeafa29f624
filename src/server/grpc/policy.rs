//! PolicyService.

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::identity::{check_dates, not_admitted};
use super::{Service, internal};
use crate::server::db::HostPolicies;
use crate::server::listen::stopped;
use crate::tls::HostCertificate;
use crate::wire::proto::policy_service_server::PolicyService;
use crate::wire::proto::{self, AssignedPolicy, PolicySet, WatchRequest};

/// Only the newest set matters, so one waits at most.
const SETS_WAITING_MAX: usize = 1;

type Sets = mpsc::Sender<Result<PolicySet, Status>>;

#[tonic::async_trait]
impl PolicyService for Service {
    type WatchStream = ReceiverStream<Result<PolicySet, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let host = self.admit(&request).await?;
        let held = request.into_inner().revision;
        let (sets, stream) = mpsc::channel(SETS_WAITING_MAX);
        let service = self.clone();
        tokio::spawn(async move {
            let _open = service.state.metrics.watcher();
            let stop = service.state.stop.clone();
            let ended = tokio::select! {
                () = stopped(stop) => Err(Status::unavailable("the server stops")),
                () = sets.closed() => Ok(()),
                ended = service.send_sets(&host, held, &sets) => ended,
            };
            if let Err(status) = ended {
                let _ = sets.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Service {
    /// Sends the set that holds for a host, at once and after every change.
    async fn send_sets(
        &self,
        host: &HostCertificate,
        held: u64,
        sets: &Sets,
    ) -> Result<(), Status> {
        let mut changes = self.state.notices.policies.clone();
        let mut sent = None;
        loop {
            // Marked as seen before the set is read, so a change in between is not missed.
            changes.borrow_and_update();
            check_dates(host)?;
            let holds = self.state.db.policies_for_host(host.host_id).await;
            let holds = holds
                .map_err(|error| internal(&error))?
                .ok_or_else(not_admitted)?;
            if sent.is_none() && held > holds.revision {
                tracing::warn!(
                    host = %host.host_id, held, newest = holds.revision,
                    "a host holds newer policies than this database: was a backup restored?"
                );
            }
            if sent != Some(holds.revision) {
                sent = Some(holds.revision);
                if sets.send(Ok(message(holds))).await.is_err() {
                    return Ok(());
                }
            }
            let left = host
                .not_after
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            // A second later, so that the certificate has surely ended.
            let ended = tokio::time::sleep(left + Duration::from_secs(1));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
                () = ended => {}
            }
        }
    }
}

fn message(holds: HostPolicies) -> PolicySet {
    let policies = holds.policies.into_iter().map(|assigned| AssignedPolicy {
        name: assigned.policy,
        version: assigned.version,
        yaml: assigned.yaml,
        mode: proto::Mode::from(assigned.mode).into(),
        agent_types: assigned.agent_types,
    });
    PolicySet {
        revision: holds.revision,
        policies: policies.collect(),
        break_glass: holds.break_glass.map(|held| proto::BreakGlass {
            ends_ns: i64::try_from(held.ends_at.as_nanosecond()).unwrap_or(i64::MAX),
            reason: held.reason,
            started_by: held.started_by,
        }),
    }
}
