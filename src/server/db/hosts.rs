//! Table `hosts`.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::agents::{self, SeenAgent};
use super::changes::{By, record};
use super::pool::{begin, commit};
use super::query::{column, count, queries, signed};
use super::{Database, DbError, break_glass, event_copy, policies};
use crate::wire::rest::{Enforcement, Host};

queries! {
    CREATE = "hosts/create";
    OF_MACHINE = "hosts/of_machine";
    RENEW = "hosts/renew";
    ADMITTED = "hosts/admitted";
    HEARTBEAT = "hosts/heartbeat";
    LIST = "hosts/list";
    REVOKE = "hosts/revoke";
    COUNT = "hosts/count";
}

/// A host that enrols.
#[derive(Clone, Debug)]
pub struct NewHost {
    pub id: Uuid,
    pub hostname: String,
    pub machine_id: String,
    pub labels: BTreeMap<String, String>,
    pub certificate_serial: String,
    pub certificate_expires_at: Timestamp,
}

/// What a host says about itself.
#[derive(Clone, Debug)]
pub struct HeartbeatRow {
    pub version: String,
    pub kernel: String,
    pub boot_id: String,
    pub enforcement: Enforcement,
    pub limits: Vec<String>,
    pub policy_revision: u64,
    pub generation: u32,
    pub policy_problems: Vec<String>,
    pub counters: HashMap<String, u64>,
    pub labels: BTreeMap<String, String>,
    /// Empty: as before.
    pub hostname: String,
    pub agents: Vec<SeenAgent>,
}

/// Numbers for /metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fleet {
    pub enrolled: u64,
    pub stale: u64,
    pub agents_live: u64,
    pub break_glass: u64,
    pub events: u64,
    pub policy_revision: u64,
}

pub(super) async fn create(
    on: &impl GenericClient,
    by: &By,
    token: Uuid,
    host: &NewHost,
) -> Result<(), DbError> {
    let earlier: Result<Vec<Uuid>, DbError> = OF_MACHINE
        .rows(on, &[&host.machine_id])
        .await?
        .iter()
        .map(|row| column(row, "id"))
        .collect();
    CREATE
        .execute(
            on,
            &[
                &host.id,
                &host.hostname,
                &host.machine_id,
                &Json(&host.labels),
                &token,
                &host.certificate_serial,
                &host.certificate_expires_at,
            ],
        )
        .await?;
    event_copy::create_audit(on, host.id).await?;
    let detail = json!({ "hostname": host.hostname, "machine_id": host.machine_id,
        "enrolled_before_as": earlier? });
    record(on, by, "host.enroll", &host.id.to_string(), detail).await
}

impl Database {
    /// Notes the newest certificate of a host; false when it is unknown or revoked.
    pub async fn renew_host(
        &self,
        id: Uuid,
        serial: &str,
        expires_at: Timestamp,
    ) -> Result<bool, DbError> {
        let row = RENEW
            .optional(&self.client().await?, &[&id, &serial, &expires_at])
            .await?;
        Ok(row.is_some())
    }

    /// Whether a host may speak: false when it is unknown or revoked.
    pub async fn is_admitted(&self, id: Uuid) -> Result<bool, DbError> {
        match ADMITTED.optional(&self.client().await?, &[&id]).await? {
            Some(row) => column(&row, "admitted"),
            None => Ok(false),
        }
    }

    /// Keeps a heartbeat; false when the host is unknown or revoked. Changed labels may change
    /// what holds for the host, so they count as a change of policies.
    pub async fn heartbeat(&self, id: Uuid, said: &HeartbeatRow) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let row = HEARTBEAT
            .optional(
                &transaction,
                &[
                    &id,
                    &said.version,
                    &said.kernel,
                    &said.boot_id,
                    &enforcement_name(said.enforcement),
                    &said.limits,
                    &signed(said.policy_revision),
                    &i64::from(said.generation),
                    &said.policy_problems,
                    &Json(&said.counters),
                    &Json(&said.labels),
                    &said.hostname,
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        agents::seen(&transaction, id, &said.agents).await?;
        if column(&row, "relabelled")? {
            policies::bump(&transaction).await?;
        }
        commit(transaction).await?;
        Ok(true)
    }

    /// Hosts by name; only those with this id and this name, where given.
    pub async fn hosts(
        &self,
        id: Option<Uuid>,
        hostname: Option<&str>,
    ) -> Result<Vec<Host>, DbError> {
        LIST.rows(&self.client().await?, &[&id, &hostname])
            .await?
            .iter()
            .map(host)
            .collect()
    }

    /// Bars a host for ever; false when it is unknown.
    pub async fn revoke_host(&self, by: &By, id: Uuid) -> Result<bool, DbError> {
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(row) = REVOKE.optional(&transaction, &[&id]).await? else {
            return Ok(false);
        };
        let detail = json!({ "hostname": column::<&str>(&row, "hostname")? });
        record(&transaction, by, "host.revoke", &id.to_string(), detail).await?;
        // Open streams of the host look again at what holds for it, and end.
        policies::bump(&transaction).await?;
        commit(transaction).await?;
        Ok(true)
    }

    /// Numbers of the whole fleet.
    pub async fn fleet(&self) -> Result<Fleet, DbError> {
        let row = COUNT.one(&self.client().await?, &[]).await?;
        Ok(Fleet {
            enrolled: count(&row, "enrolled")?,
            stale: count(&row, "stale")?,
            agents_live: count(&row, "agents_live")?,
            break_glass: count(&row, "break_glass")?,
            events: count(&row, "events")?,
            policy_revision: count(&row, "policy_revision")?,
        })
    }
}

fn enforcement_name(enforcement: Enforcement) -> &'static str {
    match enforcement {
        Enforcement::Unknown => "unknown",
        Enforcement::Lsm => "lsm",
        Enforcement::FmodRet => "fmod_ret",
        Enforcement::Observe => "observe",
    }
}

fn enforcement(row: &Row) -> Result<Enforcement, DbError> {
    match column::<&str>(row, "enforcement")? {
        "unknown" => Ok(Enforcement::Unknown),
        "lsm" => Ok(Enforcement::Lsm),
        "fmod_ret" => Ok(Enforcement::FmodRet),
        "observe" => Ok(Enforcement::Observe),
        other => Err(DbError::Value {
            column: "enforcement",
            value: other.to_owned(),
        }),
    }
}

fn host(row: &Row) -> Result<Host, DbError> {
    let labels: Json<BTreeMap<String, String>> = column(row, "labels")?;
    let counters: Json<BTreeMap<String, u64>> = column(row, "counters")?;
    let generation = count(row, "generation")?;
    Ok(Host {
        id: column(row, "id")?,
        hostname: column(row, "hostname")?,
        machine_id: column(row, "machine_id")?,
        labels: labels.0,
        enrolled_at: column(row, "enrolled_at")?,
        last_seen_at: column(row, "last_seen_at")?,
        stale: column(row, "stale")?,
        revoked_at: column(row, "revoked_at")?,
        certificate_expires_at: Some(column(row, "certificate_expires_at")?),
        version: column(row, "version")?,
        kernel: column(row, "kernel")?,
        boot_id: column(row, "boot_id")?,
        enforcement: enforcement(row)?,
        limits: column(row, "limits")?,
        policy_revision: count(row, "policy_revision")?,
        policy_revision_wanted: count(row, "policy_revision_wanted")?,
        policy_problems: column(row, "policy_problems")?,
        generation: u32::try_from(generation).unwrap_or(u32::MAX),
        acknowledged: count(row, "acknowledged")?,
        counters: counters.0,
        agents_live: count(row, "agents_live")?,
        break_glass: break_glass::of_row(row)?,
    })
}
