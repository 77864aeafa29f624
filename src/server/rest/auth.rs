//! Who asks, and whether they may.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use uuid::Uuid;
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, StatusCode};

use super::Call;
use super::error::Failure;
use crate::server::State;
use crate::server::db::{By, DbError, Principal};
use crate::server::secret;
use crate::wire::rest::{Host, Role};

const TOKEN_BYTES_MAX: usize = 512;

/// The other end of a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// Hash of the token that came with the request.
    token_sha256: Option<[u8; 32]>,
    /// Whom that token stands for; `None` when it is not valid.
    principal: Option<Principal>,
}

impl Caller {
    /// Looks at the headers of a request.
    pub(super) async fn of(
        state: &State,
        headers: &HeaderMap,
        address: SocketAddr,
    ) -> Result<Caller, DbError> {
        let token_sha256 = bearer(headers).map(secret::api_sha256);
        let principal = match token_sha256 {
            Some(hash) => state.db.authenticate(&hash).await?,
            None => None,
        };
        Ok(Caller {
            address,
            token_sha256,
            principal,
        })
    }

    /// Whether a valid token came along.
    pub(super) fn is_known(&self) -> bool {
        self.principal.is_some()
    }

    /// Whether the token of an open stream is still valid.
    pub(super) async fn is_still_valid(&self, state: &State) -> Result<bool, DbError> {
        let Some(hash) = self.token_sha256 else {
            return Ok(false);
        };
        Ok(state.db.authenticate(&hash).await?.is_some())
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_BYTES_MAX;
    is_bearer.then_some(token)
}

impl Call {
    /// The principal, if it has this role or a higher one.
    ///
    /// # Errors
    ///
    /// 401: no valid token; 403: its role is too small.
    pub(super) fn allow(&self, least: Role) -> Result<&Principal, Failure> {
        let principal = self.caller.principal.as_ref().ok_or_else(|| {
            let detail = match self.caller.token_sha256 {
                None => "this needs a token: send the header `Authorization: Bearer TOKEN`",
                Some(_) => "the token is unknown, expired or revoked",
            };
            Failure::new(StatusCode::UNAUTHORIZED, detail)
        })?;
        if principal.role < least {
            let detail = format!(
                "this needs the role {least}, and the token `{}` has the role {}",
                principal.name, principal.role
            );
            return Err(Failure::new(StatusCode::FORBIDDEN, detail));
        }
        Ok(principal)
    }

    /// The same, as the one who makes a change.
    ///
    /// # Errors
    ///
    /// See [`Call::allow`].
    pub(super) fn allow_change(&self, least: Role) -> Result<By, Failure> {
        let principal = self.allow(least)?;
        Ok(By {
            who: principal.name.clone(),
            address: self.caller.address.ip().to_string(),
        })
    }

    /// The query string as `T`.
    ///
    /// # Errors
    ///
    /// 400: an unknown field or a value that is not one.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_urlencoded::from_str(&self.query)
            .map_err(|error| Failure::bad_request(format!("the query is not valid: {error}")))
    }

    /// The JSON body as `T`.
    ///
    /// # Errors
    ///
    /// 400: not JSON, an unknown field or a value that is not one.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // An empty body is an empty object, for requests in which every field has a default.
        let body: &[u8] = if self.body.is_empty() {
            b"{}"
        } else {
            &self.body
        };
        serde_json::from_slice(body)
            .map_err(|error| Failure::bad_request(format!("the body is not valid: {error}")))
    }

    /// The one host with this UUID or name.
    ///
    /// # Errors
    ///
    /// 404: none; 409: several hosts have this name.
    pub(super) async fn host(&self, name: &str) -> Result<Host, Failure> {
        let mut hosts = self.hosts_named(name).await?;
        // Enrolled again, a machine is another host; the revoked ones no longer need the name.
        if hosts.len() > 1 {
            hosts.retain(|host| host.revoked_at.is_none());
        }
        match hosts.len() {
            0 => Err(Failure::not_found("host", name)),
            1 => Ok(hosts.swap_remove(0)),
            count => Err(Failure::conflict(format!(
                "{count} hosts are called `{name}`: name the one you mean by its id"
            ))),
        }
    }

    /// Ids of all hosts with this UUID or name, for a filter.
    ///
    /// # Errors
    ///
    /// 404: none.
    pub(super) async fn host_ids(
        &self,
        name: Option<&String>,
    ) -> Result<Option<Vec<Uuid>>, Failure> {
        let Some(name) = name else { return Ok(None) };
        let hosts = self.hosts_named(name).await?;
        if hosts.is_empty() {
            return Err(Failure::not_found("host", name));
        }
        Ok(Some(hosts.iter().map(|host| host.id).collect()))
    }

    async fn hosts_named(&self, name: &str) -> Result<Vec<Host>, Failure> {
        let db = &self.state.db;
        Ok(match Uuid::try_parse(name) {
            Ok(id) => db.hosts(Some(id), None).await?,
            Err(_) => db.hosts(None, Some(name)).await?,
        })
    }
}

/// An id in a path.
///
/// # Errors
///
/// 404: not a UUID, so there is nothing by that name.
pub(super) fn id(what: &str, text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| Failure::not_found(what, text))
}

/// A number of things to list.
///
/// # Errors
///
/// 400: 0 or more than `most`.
pub(super) fn limit(asked: Option<u32>, default: u32, most: u32) -> Result<u32, Failure> {
    let limit = asked.unwrap_or(default);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(Failure::bad_request(format!(
            "limit is {limit}: it must be 1 to {most}"
        )))
    }
}
