//! What this kernel can enforce, why not more, and how to mend it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use libbpf_rs::{MapType, ProgramType};
use serde::Serialize;

use super::canary;
use super::counters::pinned_misses;
use super::features;
use super::load::{LoadOptions, Programs};
use super::object::EnforcementMode;
use super::pins;
use super::selftest::{self, Proof};

/// How one fact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    Missing,
    /// It takes root to know.
    Unknown,
}

/// One thing that enforcement needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: &'static str,
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// How to mend it; empty when there is nothing to mend.
    pub advice: String,
}

/// The answer of `tyr doctor`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `uname -r`.
    pub kernel: String,
    pub facts: Vec<Fact>,
    /// `lsm`, `fmod_ret` or `observe`: what was loaded, or what can be expected without root.
    pub mode: &'static str,
    /// What is weaker than full enforcement, and why.
    pub limits: Vec<String>,
    /// Whether a denied open, exec and connect ended with EPERM in a throw-away child.
    pub proven: bool,
    /// What the child was answered; `None` when it could not be tried.
    pub proof: Option<Proof>,
    /// Whether programs of a daemon are pinned on this host.
    pub pinned: bool,
    /// How often the kernel skipped each of these: what it would have refused was allowed.
    pub skipped: BTreeMap<String, u64>,
    /// What the daemon on this host has proved; `None`: none has run since the boot.
    pub canary: Option<canary::State>,
    /// Why what the daemon claims does not hold; empty: it does, or there is none.
    pub alarm: String,
}

/// Looks at the kernel; as root it also loads the programs, beside those of a running daemon, and
/// lets a child be refused.
pub fn report() -> Report {
    let mut report = Report {
        kernel: features::release(),
        facts: facts(),
        mode: EnforcementMode::Observe.name(),
        limits: Vec::new(),
        proven: false,
        proof: None,
        pinned: pins::holds_programs(Path::new(pins::DEFAULT_DIR)),
        skipped: BTreeMap::new(),
        canary: canary::State::read(Path::new(canary::STATE_FILE)),
        alarm: String::new(),
    };
    let now_ms = super::tagging::boot_clock_ns() / 1_000_000;
    let problem = report.canary.as_ref().map(|state| state.problem(now_ms));
    report.alarm = problem.flatten().unwrap_or_default();
    if !is_root() {
        report
            .limits
            .push("not root: nothing was loaded, run `sudo tyr doctor`".to_owned());
        return report;
    }
    match pinned_misses(Path::new(pins::DEFAULT_DIR)) {
        Ok(skipped) => report.skipped = skipped,
        Err(error) => report.limits.push(error.to_string()),
    }
    let options = LoadOptions {
        pin_dir: None,
        ..LoadOptions::default()
    };
    let programs = match Programs::load(&options) {
        Ok(programs) => programs,
        Err(error) => {
            report.limits.push(error.to_string());
            return report;
        }
    };
    report.mode = programs.mode().name();
    report.limits.extend_from_slice(programs.limits());
    if programs.mode() == EnforcementMode::Observe {
        return report;
    }
    match selftest::prove_alone(&programs) {
        Ok(proof) => {
            report.proven = proof.holds();
            report.proof = Some(proof);
        }
        Err(error) => report.limits.push(format!("self-test: {error}")),
    }
    report
}

impl Report {
    /// Whether this host can hold agents to their policies, and its daemon proves that it does.
    pub fn can_enforce(&self) -> bool {
        self.proven && self.skipped.is_empty() && self.alarm.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel   {}", self.kernel)?;
        for fact in &self.facts {
            let mark = match fact.status {
                Status::Ok => "ok",
                Status::Missing => "missing",
                Status::Unknown => "unknown",
            };
            writeln!(f, "{mark:<8} {}: {}", fact.name, fact.detail)?;
            if !fact.advice.is_empty() {
                writeln!(f, "         help: {}", fact.advice)?;
            }
        }
        writeln!(f, "mode     {}", self.mode)?;
        for limit in &self.limits {
            writeln!(f, "limit    {limit}")?;
        }
        for (program, count) in &self.skipped {
            writeln!(
                f,
                "SKIPPED  {program}: {count} operations were not looked at, because it was active \
                 on the same CPU"
            )?;
        }
        match self.proof {
            Some(proof) => {
                let word = |errno: i32| {
                    if errno == libc::EPERM {
                        "denied"
                    } else {
                        "NOT DENIED"
                    }
                };
                let (open, exec) = (word(proof.open), word(proof.exec));
                writeln!(
                    f,
                    "proof    open {open}, exec {exec}, connect {}",
                    word(proof.connect)
                )?;
            }
            None => writeln!(f, "proof    not tried")?,
        }
        match &self.canary {
            Some(_) if self.alarm.is_empty() => writeln!(f, "canary   denied its decoy")?,
            Some(_) => writeln!(f, "canary   ALARM: {}", self.alarm)?,
            None => writeln!(f, "canary   no daemon has proved anything since the boot")?,
        }
        let pinned = if self.pinned { "yes" } else { "no" };
        writeln!(
            f,
            "daemon   programs pinned in {}: {pinned}",
            pins::DEFAULT_DIR
        )
    }
}

fn facts() -> Vec<Fact> {
    let root = is_root();
    let probed = |name, found: bool, missing: &str| Fact {
        name,
        status: match (found, root) {
            (true, _) => Status::Ok,
            (false, true) => Status::Missing,
            (false, false) => Status::Unknown,
        },
        detail: match (found, root) {
            (true, _) => "supported".to_owned(),
            (false, true) => "not supported by this kernel".to_owned(),
            (false, false) => "only root can tell".to_owned(),
        },
        advice: if !found && root {
            missing.to_owned()
        } else {
            String::new()
        },
    };
    let map = |kind: MapType| kind.is_supported().unwrap_or(false);
    let program = |kind: ProgramType| kind.is_supported().unwrap_or(false);
    vec![
        privileges(root),
        simple(
            "BTF",
            features::has_btf(),
            "/sys/kernel/btf/vmlinux",
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y",
        ),
        lsm(),
        simple(
            "BPF file system",
            features::has_bpf_fs(),
            "/sys/fs/bpf",
            "mount it: mount -t bpf bpf /sys/fs/bpf",
        ),
        probed(
            "ring buffer",
            map(MapType::RingBuf),
            "use Linux 5.8 or later",
        ),
        probed(
            "task storage",
            map(MapType::TaskStorage),
            "use Linux 5.11 or later",
        ),
        probed(
            "LSM programs",
            program(ProgramType::Lsm),
            "use a kernel with CONFIG_BPF_LSM=y that lets root load them",
        ),
        probed(
            "tracing programs",
            program(ProgramType::Tracing),
            "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y",
        ),
    ]
}

fn simple(name: &'static str, found: bool, place: &str, advice: &str) -> Fact {
    Fact {
        name,
        status: if found { Status::Ok } else { Status::Missing },
        detail: if found {
            place.to_owned()
        } else {
            format!("no {place}")
        },
        advice: if found {
            String::new()
        } else {
            advice.to_owned()
        },
    }
}

fn privileges(root: bool) -> Fact {
    Fact {
        name: "privileges",
        status: if root { Status::Ok } else { Status::Missing },
        detail: if root { "root" } else { "not root" }.to_owned(),
        advice: if root {
            String::new()
        } else {
            "run it with sudo".to_owned()
        },
    }
}

fn lsm() -> Fact {
    match features::lsm_list() {
        Some(list) => {
            let active = list.split(',').any(|name| name == "bpf");
            Fact {
                name: "BPF LSM",
                status: if active { Status::Ok } else { Status::Missing },
                detail: format!("active LSMs: {list}"),
                advice: if active {
                    String::new()
                } else {
                    features::lsm_advice()
                },
            }
        }
        None => Fact {
            name: "BPF LSM",
            status: Status::Unknown,
            detail: "the list of active LSMs cannot be read".to_owned(),
            advice: "mount it: mount -t securityfs securityfs /sys/kernel/security".to_owned(),
        },
    }
}

fn is_root() -> bool {
    // SAFETY: no pointers; it cannot fail.
    unsafe { libc::geteuid() == 0 }
}
