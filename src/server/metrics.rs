//! Counters of this server, and the text of /metrics.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::db::Fleet;

/// What this server has done since it started.
#[derive(Debug, Default)]
pub struct Metrics {
    batches: AtomicU64,
    records: AtomicU64,
    events: AtomicU64,
    refused: AtomicU64,
    enrolled: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
    watchers: AtomicI64,
    tails: AtomicI64,
}

/// Counts something as open for as long as it lives.
pub struct Open<'a>(&'a AtomicI64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn open(gauge: &AtomicI64) -> Open<'_> {
    gauge.fetch_add(1, Relaxed);
    Open(gauge)
}

impl Metrics {
    /// A group of batches was committed: of its records, `events` were new.
    pub fn ingested(&self, batches: usize, records: usize, events: usize) {
        self.batches.fetch_add(batches as u64, Relaxed);
        self.records.fetch_add(records as u64, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
    }

    /// Batches were refused.
    pub fn refused(&self, batches: usize) {
        self.refused.fetch_add(batches as u64, Relaxed);
    }

    /// A host enrolled.
    pub fn host_enrolled(&self) {
        self.enrolled.fetch_add(1, Relaxed);
    }

    /// A REST request was answered.
    pub fn answered(&self, status: u16) {
        self.requests.fetch_add(1, Relaxed);
        if status >= 500 {
            self.failures.fetch_add(1, Relaxed);
        }
    }

    /// A host watches policies.
    pub fn watcher(&self) -> Open<'_> {
        open(&self.watchers)
    }

    /// Someone follows the audit.
    pub fn tail(&self) -> Open<'_> {
        open(&self.tails)
    }

    /// Prometheus text; without `fleet` only what needs no database.
    pub fn text(&self, fleet: Option<&Fleet>) -> String {
        let mut text = String::new();
        let mut add = |kind: &str, name: &str, help: &str, value: i128| {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
        };
        let counter = |value: &AtomicU64| i128::from(value.load(Relaxed));
        let gauge = |value: &AtomicI64| i128::from(value.load(Relaxed));
        for (name, help, value) in [
            (
                "tyr_batches_total",
                "Batches of records taken from hosts.",
                &self.batches,
            ),
            (
                "tyr_records_total",
                "Records in those batches, repeated ones too.",
                &self.records,
            ),
            ("tyr_events_total", "Events kept.", &self.events),
            (
                "tyr_batches_refused_total",
                "Batches refused.",
                &self.refused,
            ),
            (
                "tyr_hosts_enrolled_total",
                "Hosts enrolled by this server.",
                &self.enrolled,
            ),
            (
                "tyr_rest_requests_total",
                "REST requests answered.",
                &self.requests,
            ),
            (
                "tyr_rest_failures_total",
                "REST requests answered with 5xx.",
                &self.failures,
            ),
        ] {
            add("counter", name, help, counter(value));
        }
        add(
            "gauge",
            "tyr_watch_streams",
            "Hosts that watch policies here.",
            gauge(&self.watchers),
        );
        add(
            "gauge",
            "tyr_tail_streams",
            "Open tails of the audit.",
            gauge(&self.tails),
        );
        add(
            "gauge",
            "tyr_database_up",
            "Whether PostgreSQL answered.",
            fleet.is_some().into(),
        );
        for (name, help, value) in fleet.iter().flat_map(|fleet| {
            [
                ("tyr_hosts", "Hosts that are not revoked.", fleet.enrolled),
                ("tyr_hosts_stale", "Of those, silent for 90 s.", fleet.stale),
                (
                    "tyr_agents_live",
                    "Agent sessions that have not ended.",
                    fleet.agents_live,
                ),
                (
                    "tyr_hosts_break_glass",
                    "Hosts that report deny verdicts and do not enforce them.",
                    fleet.break_glass,
                ),
                (
                    "tyr_event_position",
                    "Position of the newest event.",
                    fleet.events,
                ),
                (
                    "tyr_policy_revision",
                    "Revision of what holds.",
                    fleet.policy_revision,
                ),
            ]
        }) {
            add("gauge", name, help, value.into());
        }
        text
    }
}
