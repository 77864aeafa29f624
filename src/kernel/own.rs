//! Self-protection: which processes are Tyr's, and what was refused on their behalf.

use std::fmt;

use libbpf_rs::{MapCore, MapFlags};

use super::error::Error;
use super::load::Programs;
use super::tagging::start_ticks;

/// What self-protection refuses: `enum tyr_own_rule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnRule {
    Signal,
    Trace,
    Setting,
    Bpf,
    Perf,
    Capability,
    MemoryMap,
    Ioctl,
    Unmount,
    Device,
    Kernel,
    ControlGroup,
    Pins,
    ProcessFile,
}

const RULES: [(OwnRule, &str); 14] = [
    (OwnRule::Signal, "signals"),
    (OwnRule::Trace, "tracing"),
    (OwnRule::Setting, "process-settings"),
    (OwnRule::Bpf, "bpf"),
    (OwnRule::Perf, "performance-events"),
    (OwnRule::Capability, "capabilities"),
    (OwnRule::MemoryMap, "memory-map"),
    (OwnRule::Ioctl, "ioctls"),
    (OwnRule::Unmount, "unmounting"),
    (OwnRule::Device, "raw-devices"),
    (OwnRule::Kernel, "kernel-settings"),
    (OwnRule::ControlGroup, "control-groups"),
    (OwnRule::Pins, "bpf-pins"),
    (OwnRule::ProcessFile, "process-files"),
];

impl OwnRule {
    /// `None`: no rule has this number.
    pub fn from_number(number: u16) -> Option<OwnRule> {
        let index = usize::from(number).checked_sub(1)?;
        RULES.get(index).map(|(rule, _)| *rule)
    }

    /// The name used in events.
    pub fn name(self) -> &'static str {
        let found = RULES.iter().find(|(rule, _)| *rule == self);
        found.map_or("", |(_, name)| name)
    }

    /// Whether the operation is about a file like any other.
    pub fn is_about_file(self) -> bool {
        matches!(
            self,
            OwnRule::Unmount
                | OwnRule::Device
                | OwnRule::Kernel
                | OwnRule::ControlGroup
                | OwnRule::Pins
                | OwnRule::ProcessFile
        )
    }
}

/// What a task tried to do to another process, or to the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Act {
    pub rule: OwnRule,
    /// A signal, a mode, a command: what the rule takes.
    pub argument: u32,
    /// 0: it was aimed at no process.
    pub tgid: u64,
    /// Name of that process.
    pub comm: Vec<u8>,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = || {
            let comm = String::from_utf8_lossy(&self.comm);
            format!("process {} ({})", self.tgid, comm.escape_debug())
        };
        let number = self.argument;
        match self.rule {
            OwnRule::Signal => write!(f, "signal {} to {}", signal_name(number), target()),
            OwnRule::Trace if number & PTRACE_MODE_ATTACH != 0 => {
                write!(f, "attaching to {}", target())
            }
            OwnRule::Trace => write!(f, "looking into {}", target()),
            OwnRule::Setting => {
                let names = [
                    "limits",
                    "scheduler",
                    "nice",
                    "io priority",
                    "memory nodes",
                    "control group",
                ];
                let name = names.get(number as usize).unwrap_or(&"settings");
                write!(f, "{name} of {}", target())
            }
            OwnRule::Bpf => write!(f, "bpf command {number}"),
            OwnRule::Perf => f.write_str("perf_event_open with root's rights"),
            OwnRule::Capability => match number {
                16 => f.write_str("CAP_SYS_MODULE: kernel modules"),
                17 => f.write_str("CAP_SYS_RAWIO: memory and ports of the machine"),
                22 => f.write_str("CAP_SYS_BOOT: reboot and kexec"),
                25 => f.write_str("CAP_SYS_TIME: the clock"),
                _ => write!(f, "capability {number}"),
            },
            OwnRule::MemoryMap => f.write_str("prctl PR_SET_MM"),
            OwnRule::Ioctl => match number {
                0x5412 => f.write_str("ioctl TIOCSTI: typing into a terminal"),
                0x541c => f.write_str("ioctl TIOCLINUX: typing into a console"),
                0x6611 => f.write_str("ioctl EXT4_IOC_SWAP_BOOT: contents moved to another file"),
                0xc004_5877 => f.write_str("ioctl FIFREEZE: no file system can be written"),
                0x8004_587d => f.write_str("ioctl SHUTDOWN: the file system is gone"),
                _ => write!(f, "ioctl {number:#x}: a copy of a file system"),
            },
            rule => f.write_str(rule.name()),
        }
    }
}

const PTRACE_MODE_ATTACH: u32 = 2;

fn signal_name(number: u32) -> String {
    let known = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCONT, "SIGCONT"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGTSTP, "SIGTSTP"),
    ];
    let found = known
        .iter()
        .find(|(signal, _)| u32::try_from(*signal) == Ok(number));
    found.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

impl Programs {
    /// Makes a running process one of Tyr's own until it ends: no governed task may signal, trace
    /// or change it. Entries of processes that have ended are removed.
    ///
    /// # Errors
    /// Nothing is attached, the process is gone, or there is no room.
    pub fn protect_process(&self, tgid: u32) -> Result<(), Error> {
        let own = self.attached()?.map("own")?;
        for key in own.keys() {
            let Ok(known) = key.as_slice().try_into().map(u32::from_ne_bytes) else {
                continue;
            };
            let held = own
                .lookup(&key, MapFlags::ANY)
                .map_err(Error::bpf("read tyr's own processes"))?;
            let started = start_ticks(known).ok().map(u64::to_ne_bytes);
            if held.is_some() && held.as_deref() != started.as_ref().map(<[u8; 8]>::as_slice) {
                own.delete(&key)
                    .map_err(Error::bpf("forget an ended process of tyr"))?;
            }
        }
        own.update(
            &tgid.to_ne_bytes(),
            &start_ticks(tgid)?.to_ne_bytes(),
            MapFlags::ANY,
        )
        .map_err(Error::bpf("protect a process"))
    }
}

#[cfg(test)]
mod tests;
