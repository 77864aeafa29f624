//! What was there before this daemon: agents that run, and what replaced programs left.

use std::sync::atomic::Ordering;

use crate::daemon::kernel::{KernelError, RunningAgent};
use crate::kernel::tagging::NestedAgent;

use super::{Live, said};

impl Live {
    /// Those that could not be tagged, and why.
    pub(super) fn tag_running(&self, agents: &[RunningAgent]) -> Vec<(u32, KernelError)> {
        let number = |id: &String| self.signatures.number(id).map(u32::from);
        let nested: Vec<NestedAgent> = agents
            .iter()
            .map(|agent| NestedAgent {
                tgid: agent.pid,
                agent_types: agent.agent_types.iter().filter_map(number).collect(),
                around: agent.around,
            })
            .collect();
        let _turn = self.turn();
        match self.programs.tag_processes(&nested) {
            Ok(tagged) => tagged
                .into_iter()
                .filter_map(|(pid, result)| Some((pid, said(result.err()?))))
                .collect(),
            Err(error) => {
                let error = said(error);
                let all = agents.iter();
                all.map(|agent| (agent.pid, error.clone())).collect()
            }
        }
    }

    pub(super) fn count_left_behind(
        &self,
        spooled: Option<(u64, u64)>,
        reported: u64,
    ) -> Option<u64> {
        if !self.left_behind.load(Ordering::Acquire) {
            return None;
        }
        let count = self.programs.left_behind(spooled, reported);
        count
            .inspect_err(|error| {
                // The next start tries again.
                self.left_behind.store(false, Ordering::Release);
                tracing::error!(%error, "what replaced programs left cannot be counted");
            })
            .ok()
    }

    pub(super) fn remove_left_behind(&self) {
        if !self.left_behind.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.programs.forget_left_behind() {
            tracing::error!(%error, "maps of replaced programs stay");
        }
    }
}
