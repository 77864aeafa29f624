//! Taking everything off, and waiting until the kernel has done it.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use libbpf_rs::{ErrorKind, Link, Program};

use super::error::Error;
use super::load::Programs;

/// The kernel takes programs off their hooks one after the other, in the background, once nobody
/// holds their links; each waits until no task is inside.
const GONE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Programs {
    /// Detaches and unpins everything: nothing is enforced afterwards.
    ///
    /// # Errors
    /// A pin cannot be removed, or somebody else keeps programs attached.
    pub fn release(self) -> Result<(), Error> {
        let mut programs = BTreeSet::new();
        if let Some(attached) = &self.attached {
            for (_, link) in attached.links() {
                programs.insert(program_of(link)?);
            }
        }
        if let Some(pins) = &self.pins {
            for path in pins.links()? {
                let link = Link::open(path).map_err(Error::bpf("open a link"))?;
                programs.insert(program_of(&link)?);
            }
        }
        drop(self.attached);
        self.pins.map_or(Ok(()), |pins| pins.remove())?;
        wait_until_gone(programs)
    }
}

fn program_of(link: &Link) -> Result<u32, Error> {
    let info = link.info().map_err(Error::bpf("ask about a link"))?;
    Ok(info.prog_id)
}

/// A program's number is free when its last link is: after it was detached.
fn wait_until_gone(mut programs: BTreeSet<u32>) -> Result<(), Error> {
    let end = Instant::now() + GONE_WITHIN;
    loop {
        let mut left = BTreeSet::new();
        for number in programs {
            if exists(number)? {
                left.insert(number);
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::StillAttached(left.len()));
        }
        programs = left;
        thread::sleep(LOOK_AGAIN);
    }
}

fn exists(program: u32) -> Result<bool, Error> {
    match Program::fd_from_id(program) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::bpf("ask for a program")(error)),
    }
}
