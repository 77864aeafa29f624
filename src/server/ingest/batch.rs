//! One batch of one host: its records hang together, and continue what is kept.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Refused, unreadable};
use crate::model::event::{Body, Event, Process};
use crate::server::db::{AuditEnd, NewEvent};
use crate::wire::convert::decode_event;
use crate::wire::proto;

/// Most records of a batch.
pub const BATCH_RECORDS_MAX: usize = 10_000;

/// Records of one host that hang together. Whether they continue what the server holds is told by
/// [`Batch::new_after`], when that is known and locked.
#[derive(Clone, Debug)]
pub struct Batch {
    pub host_id: Uuid,
    records: Vec<Checked>,
    /// Encoded event of the first record, whose predecessor is not in the batch.
    first_bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Checked {
    sequence: u64,
    event: Event,
    chain: [u8; 32],
}

impl Batch {
    /// Decodes a batch and checks every link of its chain but the first.
    ///
    /// # Errors
    ///
    /// Too many records, or they do not hang together.
    pub fn check(host_id: Uuid, request: proto::ExportRequest) -> Result<Batch, Refused> {
        let count = request.records.len();
        if count > BATCH_RECORDS_MAX {
            return Err(Refused::TooMany(count));
        }
        let mut batch = Batch {
            host_id,
            records: Vec::with_capacity(count),
            first_bytes: Vec::new(),
        };
        for record in request.records {
            batch.add(record)?;
        }
        Ok(batch)
    }

    fn add(&mut self, record: proto::Record) -> Result<(), Refused> {
        let proto::Record {
            sequence,
            event: bytes,
            chain,
        } = record;
        let before = self
            .records
            .last()
            .map_or(sequence.saturating_sub(1), |last| last.sequence);
        let broken = Refused::Chain { before, sequence };
        let chain: [u8; 32] = chain.try_into().map_err(|_| broken)?;
        let event = decode_event(&bytes).unwrap_or_else(|error| alarm(unreadable(&error, &bytes)));
        let checked = Checked {
            sequence,
            event,
            chain,
        };
        match self.records.last() {
            Some(last) => follows(last.sequence, &last.chain, &checked, &bytes)?,
            None if sequence == 0 => {
                return Err(Refused::Order {
                    before: 0,
                    found: 0,
                });
            }
            None => self.first_bytes = bytes,
        }
        self.records.push(checked);
        Ok(())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The events that are new after `end`, and moves `end` to where the audit then ends. Records
    /// that are kept already are left out.
    ///
    /// # Errors
    ///
    /// The first new record does not continue the audit, or what was kept under the last number is
    /// not what the batch has under it. `end` is then as it was.
    pub fn new_after(&self, end: &mut AuditEnd) -> Result<Vec<NewEvent>, Refused> {
        let kept = end.acknowledged;
        let first_new = self
            .records
            .iter()
            .position(|record| record.sequence > kept);
        let known = &self.records[..first_new.unwrap_or(self.records.len())];
        if let Some(last) = known.last()
            && last.sequence == kept
            && last.chain != end.chain
        {
            return Err(Refused::Chain {
                before: kept - 1,
                sequence: kept,
            });
        }
        let Some(first_new) = first_new else {
            return Ok(Vec::new());
        };
        if first_new == 0 {
            follows(kept, &end.chain, &self.records[0], &self.first_bytes)?;
        }
        let new: Vec<NewEvent> = self.records[first_new..]
            .iter()
            .map(|record| NewEvent {
                host_id: self.host_id,
                sequence: record.sequence,
                event: record.event.clone(),
            })
            .collect();
        if let Some(last) = self.records.last() {
            end.acknowledged = last.sequence;
            end.chain = last.chain;
        }
        Ok(new)
    }
}

/// Checks that `record` comes right after number `before` with chain `chain`.
///
/// Only a `lost` event may stand for records that are gone: it has the number and the chain of the
/// last of them, and counts them all. Its own chain then cannot be checked; from it the chain goes
/// on, and the gap is in the audit for all to see.
fn follows(before: u64, chain: &[u8; 32], record: &Checked, bytes: &[u8]) -> Result<(), Refused> {
    let sequence = record.sequence;
    if sequence <= before {
        return Err(Refused::Order {
            before,
            found: sequence,
        });
    }
    if sequence == before + 1 && record.chain == link(chain, sequence, bytes) {
        return Ok(());
    }
    match record.event.body {
        Body::Lost { count, .. } if count >= sequence - before => Ok(()),
        _ if sequence == before + 1 => Err(Refused::Chain { before, sequence }),
        _ => Err(Refused::Missing {
            acknowledged: before,
            found: sequence,
        }),
    }
}

/// The chain after a record.
pub(super) fn link(before: &[u8; 32], sequence: u64, event: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(sequence.to_be_bytes());
    hash.update(event);
    hash.finalize().into()
}

fn alarm(message: String) -> Event {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Event {
        time_ns: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
        boot_ns: 0,
        process: Process::default(),
        agent: None,
        body: Body::Alarm { message },
    }
}
