//! EventService.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::identity::{check_dates, not_admitted};
use super::{Service, internal};
use crate::server::ingest::{Batch, Refused};
use crate::server::listen::stopped;
use crate::tls::HostCertificate;
use crate::wire::proto::event_service_server::EventService;
use crate::wire::proto::{ExportRequest, ExportResponse};

/// Acknowledgements that wait for a slow host; its next batch waits with them.
const ANSWERS_WAITING_MAX: usize = 4;

type Answers = mpsc::Sender<Result<ExportResponse, Status>>;

#[tonic::async_trait]
impl EventService for Service {
    type ExportStream = ReceiverStream<Result<ExportResponse, Status>>;

    async fn export(
        &self,
        request: Request<Streaming<ExportRequest>>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let host = self.admit(&request).await?;
        let (answers, stream) = mpsc::channel(ANSWERS_WAITING_MAX);
        let (service, batches) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            let stop = service.state.stop.clone();
            tokio::select! {
                () = stopped(stop) => {
                    let _ = answers.send(Err(Status::unavailable("the server stops"))).await;
                }
                () = service.take_all(&host, batches, &answers) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Service {
    /// Takes batches in order until the host ends the stream or one is refused.
    async fn take_all(
        &self,
        host: &HostCertificate,
        mut batches: Streaming<ExportRequest>,
        answers: &Answers,
    ) {
        loop {
            let answer = match batches.message().await {
                Ok(Some(request)) => self.take(host, request).await,
                Ok(None) => return,
                Err(status) => Err(status),
            };
            let is_last = answer.is_err();
            if answers.send(answer).await.is_err() || is_last {
                return;
            }
        }
    }

    async fn take(
        &self,
        host: &HostCertificate,
        request: ExportRequest,
    ) -> Result<ExportResponse, Status> {
        check_dates(host)?;
        let batch = Batch::check(host.host_id, request).map_err(|refused| refusal(&refused))?;
        let written = self.state.writer.write(batch).await;
        let acknowledged = written.map_err(|refused| refusal(&refused))?;
        Ok(ExportResponse { acknowledged })
    }
}

fn refusal(refused: &Refused) -> Status {
    let message = refused.to_string();
    match refused {
        Refused::TooMany(_) | Refused::Order { .. } => Status::invalid_argument(message),
        Refused::Missing { .. } | Refused::Chain { .. } => Status::failed_precondition(message),
        Refused::NotAdmitted => not_admitted(),
        Refused::Unavailable => internal(refused),
    }
}
