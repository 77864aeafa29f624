//! `/api/v1/enrollment-tokens` and `/api/v1/api-tokens`.

use warp::reply::Response;

use super::Call;
use super::auth::id;
use super::error::{Failure, answer, created, done};
use crate::server::db::AUTHOR;
use crate::server::secret;
use crate::wire::rest::{
    ApiTokenList, ApiTokenRequest, ApiTokenSecret, EnrollmentTokenList, EnrollmentTokenRequest,
    EnrollmentTokenSecret, Role,
};

const ENROLLMENT_USES_MAX: u32 = 10_000;
const ENROLLMENT_S_DEFAULT: u64 = 3_600;
const ENROLLMENT_S_MAX: u64 = 30 * 86_400;
const API_S_MAX: u64 = 3_650 * 86_400;
const TEXT_CHARS_MAX: usize = 100;

pub(super) async fn create_enrollment(call: Call) -> Response {
    created(new_enrollment(&call).await)
}

async fn new_enrollment(call: &Call) -> Result<EnrollmentTokenSecret, Failure> {
    let by = call.allow_change(Role::Operator)?;
    let asked: EnrollmentTokenRequest = call.json()?;
    text("description", &asked.description, 0, TEXT_CHARS_MAX)?;
    let uses = asked.uses_max.unwrap_or(1);
    range("uses_max", u64::from(uses), u64::from(ENROLLMENT_USES_MAX))?;
    let seconds = asked.expires_in_s.unwrap_or(ENROLLMENT_S_DEFAULT);
    range("expires_in_s", seconds, ENROLLMENT_S_MAX)?;
    let token = secret::enrollment_token(call.state.authority.fingerprint())?;
    let db = &call.state.db;
    let about = db
        .create_enrollment_token(&by, &token.sha256, &asked.description, uses, seconds)
        .await?;
    Ok(EnrollmentTokenSecret {
        token: token.shown,
        about,
    })
}

pub(super) async fn list_enrollment(call: Call) -> Response {
    answer(all_enrollment(&call).await)
}

async fn all_enrollment(call: &Call) -> Result<EnrollmentTokenList, Failure> {
    call.allow(Role::Operator)?;
    Ok(EnrollmentTokenList {
        tokens: call.state.db.enrollment_tokens().await?,
    })
}

pub(super) async fn revoke_enrollment(text: String, call: Call) -> Response {
    done(end_enrollment(&text, &call).await)
}

async fn end_enrollment(text: &str, call: &Call) -> Result<(), Failure> {
    let by = call.allow_change(Role::Operator)?;
    let token = id("enrolment token", text)?;
    if call.state.db.revoke_enrollment_token(&by, token).await? {
        Ok(())
    } else {
        Err(Failure::not_found("enrolment token", text))
    }
}

pub(super) async fn create_api(call: Call) -> Response {
    created(new_api(&call).await)
}

async fn new_api(call: &Call) -> Result<ApiTokenSecret, Failure> {
    let by = call.allow_change(Role::Admin)?;
    let asked: ApiTokenRequest = call.json()?;
    text("name", &asked.name, 1, TEXT_CHARS_MAX)?;
    if asked.name == AUTHOR {
        let detail = format!("`{AUTHOR}` is the author of built-in policies: choose another name");
        return Err(Failure::bad_request(detail));
    }
    if let Some(seconds) = asked.expires_in_s {
        range("expires_in_s", seconds, API_S_MAX)?;
    }
    let token = secret::api_token()?;
    let made = call
        .state
        .db
        .create_api_token(
            &by,
            &token.sha256,
            &asked.name,
            asked.role,
            asked.expires_in_s,
        )
        .await;
    let about = made.map_err(|error| {
        if error.violates("api_tokens_name") {
            let detail = format!("there is a token `{}` already: revoke it first", asked.name);
            return Failure::conflict(detail);
        }
        error.into()
    })?;
    Ok(ApiTokenSecret {
        token: token.shown,
        about,
    })
}

pub(super) async fn list_api(call: Call) -> Response {
    answer(all_api(&call).await)
}

async fn all_api(call: &Call) -> Result<ApiTokenList, Failure> {
    call.allow(Role::Admin)?;
    Ok(ApiTokenList {
        tokens: call.state.db.api_tokens().await?,
    })
}

pub(super) async fn revoke_api(text: String, call: Call) -> Response {
    done(end_api(&text, &call).await)
}

async fn end_api(text: &str, call: &Call) -> Result<(), Failure> {
    let by = call.allow_change(Role::Admin)?;
    if call
        .state
        .db
        .revoke_api_token(&by, id("API token", text)?)
        .await?
    {
        Ok(())
    } else {
        Err(Failure::not_found("API token", text))
    }
}

pub(super) fn text(field: &str, text: &str, min: usize, max: usize) -> Result<(), Failure> {
    let chars = text.chars().count();
    if !(min..=max).contains(&chars) || text.chars().any(char::is_control) {
        let detail = format!("{field} must be {min} to {max} printable characters");
        return Err(Failure::bad_request(detail));
    }
    Ok(())
}

pub(super) fn range(field: &str, value: u64, most: u64) -> Result<(), Failure> {
    if !(1..=most).contains(&value) {
        return Err(Failure::bad_request(format!(
            "{field} is {value}: it must be 1 to {most}"
        )));
    }
    Ok(())
}
