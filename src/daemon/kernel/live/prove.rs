//! Proving, again and again, that what is in force is enforced.

use std::path::Path;
use std::sync::MutexGuard;

use crate::daemon::kernel::KernelError;
use crate::kernel::canary::{self, Canary};
use crate::kernel::selftest;
use crate::kernel::tagging::boot_clock_ns;

use super::{Live, said};

/// Proofs by the canary alone, between two that also try an exec and a connect.
const ASKED_MAX: u32 = 11;

/// What the self-test needs of the image in force.
#[derive(Debug)]
pub(super) struct Proving {
    pub(super) generation: u32,
    pub(super) slot: u32,
    /// `None`: the next proof is a whole one, and makes it.
    pub(super) canary: Option<Canary>,
    /// Since the last whole proof.
    pub(super) asked: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Unproven {
    reason: String,
    since: jiff::Zoned,
}

impl Unproven {
    pub(super) fn now(reason: String) -> Unproven {
        let since = jiff::Zoned::now();
        Unproven { reason, since }
    }
}

impl std::fmt::Display for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = self.since.strftime("%Y-%m-%d %H:%M:%S %:z");
        write!(f, "unproven since {since}: {}", self.reason)
    }
}

impl Live {
    pub(super) fn unproven(&self) -> MutexGuard<'_, Option<Unproven>> {
        self.unproven
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn try_proof(&self) -> Result<(), KernelError> {
        let mut turn = self.turn();
        let Some(proving) = turn.as_mut() else {
            return Err(KernelError("no policy image is in force".to_owned()));
        };
        if let Some(canary) = &mut proving.canary
            && proving.asked < ASKED_MAX
        {
            proving.asked += 1;
            let errno = canary.ask();
            if matches!(errno, Ok(libc::EPERM)) {
                return Ok(());
            }
            // What is wrong is for the whole proof to say: the canary itself may have ended.
            tracing::warn!(?errno, "the canary was not denied its decoy");
        }
        proving.canary = None;
        self.prove_whole(proving)
    }

    fn prove_whole(&self, proving: &mut Proving) -> Result<(), KernelError> {
        self.remove_old_self_tests()?;
        let proof = selftest::prove(&self.programs, proving.generation, proving.slot);
        let proof = proof.map_err(|error| KernelError(format!("self-test: {}", said(error))))?;
        let not_denied = proof.not_denied();
        if not_denied.is_empty() {
            let canary = Canary::start(&self.programs, proving.generation, proving.slot);
            proving.canary = Some(canary.map_err(said)?);
            proving.asked = 0;
            return Ok(());
        }
        let what = not_denied.join(", ");
        Err(KernelError(format!(
            "self-test: {what} was not denied where policy denies it"
        )))
    }

    /// A daemon that was killed in a self-test leaves its session.
    fn remove_old_self_tests(&self) -> Result<(), KernelError> {
        for (number, session) in self.programs.sessions().map_err(said)? {
            if session.types == [selftest::TYPE_NUMBER] {
                self.programs.remove_session(number).map_err(said)?;
            }
        }
        Ok(())
    }

    /// Notes the outcome of a proof. Gives why enforcement is not claimed; empty: it is.
    pub(super) fn note(&self, outcome: &Result<(), KernelError>) -> String {
        let mut unproven = self.unproven();
        *unproven = outcome.as_ref().err().map(|error| {
            let known = unproven
                .take()
                .filter(|known| known.reason == error.to_string());
            known.unwrap_or_else(|| Unproven::now(error.to_string()))
        });
        unproven
            .as_ref()
            .map_or_else(String::new, ToString::to_string)
    }

    /// Keeps what was proved in a file for `tyr doctor`.
    pub(super) fn leave_state(&self, unproven: String) {
        if self.proof_interval.is_zero() {
            return;
        }
        let state = canary::State {
            at_boot_ms: boot_clock_ns() / 1_000_000,
            every_ms: u64::try_from(self.proof_interval.as_millis()).unwrap_or(u64::MAX),
            unproven,
        };
        if let Err(error) = state.write(Path::new(canary::STATE_FILE)) {
            tracing::warn!(%error, "cannot keep the canary's state");
        }
    }
}
