//! The only place with SQL: one file for each table, one statement in each file of `sql/queries`.

mod agents;
mod api_tokens;
mod assignments;
mod authority;
mod break_glass;
mod builtin;
mod changes;
mod enrollment_tokens;
mod error;
mod event_copy;
mod events;
mod hosts;
mod migrate;
mod policies;
mod pool;
mod query;
mod tls;

pub use agents::{AgentFilter, SeenAgent, TalliedAgent};
pub use api_tokens::Principal;
pub use assignments::{NewAssignment, TargetRow};
pub use authority::StoredAuthority;
pub use builtin::{AUTHOR, Seeded, newest_text};
pub use changes::By;
pub use error::DbError;
pub use event_copy::{AuditEnd, Ingest, NewEvent, text as stored_text, time as stored_time};
pub use events::{Commit, EventFilter, PageStart, Tail};
pub use hosts::{Fleet, HeartbeatRow, NewHost};
pub use policies::{Assigned, Edit, HostPolicies, NewVersion, VersionRow};
pub use pool::{Database, PoolOptions};

use query::Query;

/// Every statement of the server, so that all can be prepared before it says that it is ready.
fn all_queries() -> impl Iterator<Item = &'static Query> {
    [
        agents::QUERIES,
        api_tokens::QUERIES,
        assignments::QUERIES,
        authority::QUERIES,
        break_glass::QUERIES,
        changes::QUERIES,
        enrollment_tokens::QUERIES,
        event_copy::QUERIES,
        events::QUERIES,
        hosts::QUERIES,
        migrate::QUERIES,
        policies::QUERIES,
    ]
    .into_iter()
    .flatten()
}
