//! EnrollmentService.

use tonic::{Request, Response, Status};

use super::identity::not_admitted;
use super::{Service, internal};
use crate::server::authority::AuthorityError;
use crate::server::enroll::{self, EnrollError};
use crate::wire::proto::enrollment_service_server::EnrollmentService;
use crate::wire::proto::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse};

#[tonic::async_trait]
impl EnrollmentService for Service {
    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<EnrollResponse>, Status> {
        let address = request
            .remote_addr()
            .map_or_else(String::new, |a| a.ip().to_string());
        let asked = request.into_inner();
        let asked = enroll::Request {
            token: asked.token,
            csr_der: asked.csr_der,
            hostname: asked.hostname,
            machine_id: asked.machine_id,
            labels: asked.labels.into_iter().collect(),
            address,
        };
        let state = &self.state;
        let lifetime = state.config.host_certificate_lifetime();
        let (id, signed) = enroll::enroll(&state.db, &state.authority, lifetime, asked)
            .await
            .map_err(|error| refusal(&error))?;
        state.metrics.host_enrolled();
        Ok(Response::new(EnrollResponse {
            host_id: id.to_string(),
            certificate_pem: signed.pem,
            ca_pem: state.authority.pem().to_owned(),
        }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let host = self.admit(&request).await?;
        let state = &self.state;
        let lifetime = state.config.host_certificate_lifetime();
        let signed = state
            .authority
            .sign_host(&request.into_inner().csr_der, host.host_id, lifetime)
            .map_err(|error| refusal(&error.into()))?;
        let renewed = state
            .db
            .renew_host(host.host_id, &signed.serial, signed.expires_at)
            .await;
        if !renewed.map_err(|error| internal(&error))? {
            return Err(not_admitted());
        }
        Ok(Response::new(RenewResponse {
            certificate_pem: signed.pem,
            ca_pem: state.authority.pem().to_owned(),
        }))
    }
}

fn refusal(error: &EnrollError) -> Status {
    match error {
        EnrollError::Token => Status::unauthenticated(error.to_string()),
        EnrollError::Field { .. } => Status::invalid_argument(error.to_string()),
        EnrollError::Authority(AuthorityError::Request(_) | AuthorityError::RequestTooLong(_)) => {
            Status::invalid_argument(error.to_string())
        }
        EnrollError::Authority(_) | EnrollError::Db(_) => internal(error),
    }
}
