//! The kernel's records as the daemon takes them: those of self-tests are nobody's business.

use std::time::Duration;

use crate::daemon::kernel::{KernelError, Record, Ring};
use crate::kernel::record;
use crate::kernel::ringbuf::RingReader;

use super::{Live, said};

pub(super) struct LiveRing<'a> {
    pub(super) live: &'a Live,
    pub(super) reader: RingReader,
}

impl Ring for LiveRing<'_> {
    fn identity(&self) -> u64 {
        u64::from(self.reader.identity())
    }

    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn position(&self) -> u64 {
        self.reader.position()
    }

    fn next(&mut self) -> Option<Result<Record, KernelError>> {
        loop {
            let (_, read) = self.reader.next()?;
            match read.map(|record| self.live.record(record)) {
                // Nobody's business; its place in the ring counts all the same.
                Ok(None) => {}
                Ok(Some(record)) => return Some(Ok(record)),
                Err(error) => return Some(Err(said(error))),
            }
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<(), KernelError> {
        self.reader.wait(timeout).map(drop).map_err(said)
    }

    fn commit(&mut self, position: u64) {
        self.reader.commit(position);
    }
}

/// Number of the innermost agent's type.
pub(super) fn agent_type(record: &record::Record) -> u32 {
    match record {
        record::Record::Operation(_, operation) => operation.agent_type,
        record::Record::AgentStarted(_, program)
        | record::Record::ProcessExeced(_, program)
        | record::Record::ProcessExited(_, program) => program.agent_type,
    }
}
