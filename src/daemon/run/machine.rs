//! Facts of the machine that do not change while the daemon runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// What names this machine and this boot.
#[derive(Clone, Debug)]
pub struct MachineFacts {
    pub machine_id: String,
    pub boot_id: String,
    pub kernel_release: String,
    pub hostname: String,
    /// File with the names of users.
    pub passwd: PathBuf,
}

impl MachineFacts {
    /// # Errors
    ///
    /// The kernel gives no boot id. A missing machine id is no error: the boot id is enough to
    /// tell sessions apart.
    pub fn read() -> Result<MachineFacts, Failure> {
        let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
        let boot_id = line("/proc/sys/kernel/random/boot_id")
            .map_err(|error| Failure::caused(Exit::Os, "cannot read the boot id", &error))?;
        Ok(MachineFacts {
            machine_id: line("/etc/machine-id").unwrap_or_default(),
            boot_id,
            kernel_release: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            hostname: line("/proc/sys/kernel/hostname").unwrap_or_default(),
            passwd: PathBuf::from("/etc/passwd"),
        })
    }
}

/// Path of a cgroup folder inside the unified hierarchy, as /proc/PID/cgroup shows it.
pub(super) fn cgroup_path(folder: &Path) -> String {
    for root in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
        if let Ok(inside) = folder.strip_prefix(root) {
            return format!("/{}", inside.display());
        }
    }
    folder.display().to_string()
}
