//! Server → enforcer: the set of policies for this host, now and after every change.

use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;

use crate::wire::proto::WatchRequest;
use crate::wire::proto::policy_service_client::PolicyServiceClient;

use super::link::{Backoff, Link};
use super::sync::{self, Change};

/// A stream that said nothing at all is opened anew: the first message comes at once.
const FIRST_TIMEOUT: Duration = Duration::from_secs(30);

/// Watches for as long as the daemon runs.
pub async fn run(mut link: Link, changes: Sender<Change>, status: watch::Receiver<sync::Status>) {
    let mut backoff = Backoff::default();
    loop {
        let held = status.borrow().revision;
        let ended = match link.channel() {
            Ok(channel) => {
                let client = PolicyServiceClient::new(channel);
                tokio::select! {
                    ended = stream(client, held, &changes, &mut backoff) => ended,
                    () = link.renewed() => continue,
                }
            }
            Err(message) => Err(Status::unavailable(message)),
        };
        if let Err(status) = ended {
            tracing::warn!(code = %status.code(), message = status.message(), "cannot watch policies");
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}

async fn stream(
    mut client: PolicyServiceClient<tonic::transport::Channel>,
    held: u64,
    changes: &Sender<Change>,
    backoff: &mut Backoff,
) -> Result<(), Status> {
    let opening = async {
        let mut sets = client
            .watch(WatchRequest { revision: held })
            .await?
            .into_inner();
        let first = sets.message().await?;
        Ok::<_, Status>((sets, first))
    };
    let opened = tokio::time::timeout(FIRST_TIMEOUT, opening).await;
    let (mut sets, mut next) =
        opened.map_err(|_| Status::deadline_exceeded("the server sent no policies"))??;
    while let Some(set) = next {
        backoff.reset();
        if changes.send(Change::Set(set)).is_err() {
            return Ok(());
        }
        next = sets.message().await?;
    }
    Err(Status::unavailable("the server ended the stream"))
}
