//! The one door from a failure to an answer: outer text to the caller, causes to the log.

use serde::Serialize;
use warp::Reply;
use warp::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::Response;

use crate::exit::chain;
use crate::policy::problem::Problem;
use crate::server::db::DbError;
use crate::server::publish::PublishError;
use crate::tls::TlsError;
use crate::wire::rest::{PROBLEM_JSON, Refusal};

/// A request that is not carried out.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    detail: String,
    problems: Vec<Problem>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Failure {
        Failure {
            status,
            detail: detail.into(),
            problems: Vec::new(),
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(what: &str, name: &str) -> Failure {
        Failure::new(
            StatusCode::NOT_FOUND,
            format!("there is no {what} `{name}`"),
        )
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::CONFLICT, detail)
    }

    fn policy(problems: Vec<Problem>) -> Failure {
        let errors = problems.iter().filter(|problem| !problem.warning).count();
        let detail = format!(
            "the policy has {errors} problem{}",
            if errors == 1 { "" } else { "s" }
        );
        Failure {
            status: StatusCode::BAD_REQUEST,
            detail,
            problems,
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Failure {
        tracing::error!(error = %chain(&error), "a request failed");
        if error.is_unavailable() {
            let detail = "the database does not answer; try again";
            return Failure::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why",
        )
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Failure {
        tracing::error!(error = %chain(&error), "a request failed");
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why",
        )
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Failure {
        match error {
            PublishError::Refused(problems) => Failure::policy(problems),
            PublishError::Db(error) => error.into(),
        }
    }
}

impl Reply for Failure {
    fn into_response(self) -> Response {
        let kind = if self.problems.is_empty() {
            "about:blank"
        } else {
            "urn:tyr:problem:policy"
        };
        let refusal = Refusal {
            kind: kind.to_owned(),
            title: self
                .status
                .canonical_reason()
                .unwrap_or("Refused")
                .to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            problems: self.problems,
        };
        let mut response = json(self.status, &refusal);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer with a JSON body.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let reply = warp::reply::json(value);
    warp::reply::with_status(reply, status).into_response()
}

/// 200 with JSON, or the failure.
pub(super) fn answer<T: Serialize>(outcome: Result<T, Failure>) -> Response {
    match outcome {
        Ok(value) => json(StatusCode::OK, &value),
        Err(failure) => failure.into_response(),
    }
}

/// 201 with JSON, or the failure.
pub(super) fn created<T: Serialize>(outcome: Result<T, Failure>) -> Response {
    match outcome {
        Ok(value) => json(StatusCode::CREATED, &value),
        Err(failure) => failure.into_response(),
    }
}

/// 204, or the failure.
pub(super) fn done(outcome: Result<(), Failure>) -> Response {
    match outcome {
        Ok(()) => {
            let mut response = HttpResponse::new("").into_response();
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(failure) => failure.into_response(),
    }
}
