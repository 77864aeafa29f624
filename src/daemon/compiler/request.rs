//! What the compiler is asked, as it reads it.

use serde::Deserialize;

use crate::policy::compile::{Input, Superblock};
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;
use crate::policy::rule::Effective;
use crate::policy::signatures::Signatures;

/// An [`Input`] that owns what it is made of: the same fields in the same order.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    policies: Vec<Effective>,
    signatures: Signatures,
    host: Principal,
    superblocks: Vec<Superblock>,
    slots: Vec<Principal>,
    moment: Option<Moment>,
    unmatched_is_silent: bool,
}

impl Request {
    pub(super) fn input(&self) -> Input<'_> {
        Input {
            policies: &self.policies,
            signatures: &self.signatures,
            host: &self.host,
            superblocks: &self.superblocks,
            slots: &self.slots,
            moment: self.moment,
            unmatched_is_silent: self.unmatched_is_silent,
        }
    }
}
