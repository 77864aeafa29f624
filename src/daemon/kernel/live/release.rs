//! Taking the kernel's programs off, and who may not ask for it.

use super::{KernelError, Live, said};

impl Live {
    /// Whether a process is an agent's, or may become one.
    ///
    /// # Errors
    ///
    /// The kernel's tasks cannot be walked.
    pub fn is_governed(&self, pid: u32) -> Result<bool, KernelError> {
        if self.is_observing() {
            return Ok(false);
        }
        let tasks = self.programs.live_tasks().map_err(said)?;
        Ok(tasks
            .iter()
            .any(|task| task.tgid == pid && task.session != 0))
    }

    /// Takes enforcement off this host.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn release(self) -> Result<(), KernelError> {
        self.programs.release().map_err(said)
    }
}
