//! Facts about the running kernel that loading needs; what a kernel takes is found by loading,
//! never by its version.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use libbpf_rs::{MapType, ProgramType};

use super::error::Error;
use super::load::Scope;

const LSM_LIST: &str = "/sys/kernel/security/lsm";
const CGROUP_ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// The active LSMs, comma separated; `None` when securityfs is not mounted or not readable.
pub fn lsm_list() -> Option<String> {
    Some(fs::read_to_string(LSM_LIST).ok()?.trim().to_owned())
}

/// Whether `bpf` is in the active list. Without a list only attaching can tell: true.
pub(crate) fn lsm_is_active() -> bool {
    lsm_list().is_none_or(|list| list.split(',').any(|name| name == "bpf"))
}

/// How to get BPF LSM, keeping every LSM that is active now.
pub(crate) fn lsm_advice() -> String {
    advice_for(lsm_list().as_deref())
}

fn advice_for(list: Option<&str>) -> String {
    match list {
        Some(list) => format!(
            "`bpf` is not an active LSM: boot with `lsm={list},bpf` on the kernel command line"
        ),
        None => format!("{LSM_LIST} cannot be read: mount securityfs, or run as root"),
    }
}

/// What this process or kernel lacks without which nothing can be attached, one sentence each with
/// how to mend it.
pub fn missing() -> Vec<String> {
    let facts = [
        (may_load(), NO_PRIVILEGE),
        (has_btf(), NO_BTF),
        (is_supported(MapType::RingBuf), NO_RING_BUFFER),
        (is_supported(MapType::TaskStorage), NO_TASK_STORAGE),
        (may_trace(), NO_PROGRAMS),
    ];
    missing_of(&facts)
}

const NO_PRIVILEGE: &str = "this process may not load kernel programs: run it as root, with \
     CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN, outside any user namespace";
const NO_BTF: &str = "the kernel does not describe its types: /sys/kernel/btf/vmlinux is missing; \
     boot a kernel with CONFIG_DEBUG_INFO_BTF=y";
const NO_RING_BUFFER: &str = "the kernel has no BPF ring buffer: boot Linux 5.8 or later";
const NO_TASK_STORAGE: &str =
    "the kernel has no BPF task storage: boot Linux 5.11 or later with CONFIG_BPF_LSM=y";

const NO_PROGRAMS: &str = "the kernel refuses LSM and tracing programs even to root: boot one with \
     CONFIG_BPF_LSM=y or CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y, and without \
     lockdown=confidentiality";

/// Without the privilege nothing else can be told.
fn missing_of(facts: &[(bool, &str)]) -> Vec<String> {
    let missing = facts.iter().filter(|(found, _)| !found);
    let mut sentences: Vec<String> = missing.map(|(_, text)| (*text).to_owned()).collect();
    if facts.first().is_some_and(|(may, _)| !may) {
        sentences.truncate(1);
    }
    sentences
}

fn is_supported(kind: MapType) -> bool {
    kind.is_supported().unwrap_or(false)
}

fn may_trace() -> bool {
    let kinds = [ProgramType::Lsm, ProgramType::Tracing];
    kinds
        .into_iter()
        .any(|kind| kind.is_supported().unwrap_or(false))
}

/// Whether the effective capabilities hold CAP_SYS_ADMIN, or both CAP_BPF and CAP_PERFMON.
fn may_load() -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON_AND_BPF: u64 = 1 << 38 | 1 << 39;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    effective.is_some_and(|held| held & SYS_ADMIN != 0 || held & PERFMON_AND_BPF == PERFMON_AND_BPF)
}

/// Whether the kernel has a function, by its BTF.
pub(crate) fn has_function(name: &'static str) -> bool {
    static ASKED: Mutex<BTreeMap<&str, bool>> = Mutex::new(BTreeMap::new());
    let ask = || Btf::from_vmlinux().is_ok_and(|btf| btf.type_by_name::<Func<'_>>(name).is_some());
    // To read all types of the kernel takes time, and they do not change.
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    *asked.entry(name).or_insert_with(ask)
}

/// Whether the kernel describes its types.
pub fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Whether a BPF file system is mounted where pins go.
pub fn has_bpf_fs() -> bool {
    const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
    file_system_magic(Path::new("/sys/fs/bpf")) == Some(BPF_FS_MAGIC)
}

/// Whether a path walk can tell that a rename ran meanwhile: the kernel shows its `rename_lock`.
pub(crate) fn has_rename_lock() -> bool {
    let Ok(symbols) = File::open("/proc/kallsyms") else {
        return false;
    };
    let mut lines = BufReader::new(symbols).lines();
    lines.any(|line| line.is_ok_and(|line| is_shown_symbol(&line, "rename_lock")))
}

/// `address type name`; without the right to see addresses they are all zero.
fn is_shown_symbol(line: &str, name: &str) -> bool {
    let mut fields = line.split_whitespace();
    let address = fields.next().unwrap_or_default();
    fields.nth(1) == Some(name) && address.bytes().any(|digit| digit != b'0')
}

/// `uname -r`.
pub fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The cgroup of a directory of the unified hierarchy, or of a path below its root.
pub(crate) fn cgroup_scope(path: &Path) -> Result<Scope, Error> {
    let problem = |problem: &str| Error::Scope {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    for root in CGROUP_ROOTS.map(Path::new) {
        if file_system_magic(root) != Some(CGROUP2_MAGIC) {
            continue;
        }
        let folder = if path.starts_with(root) {
            path.to_owned()
        } else {
            root.join(path.strip_prefix("/").unwrap_or(path))
        };
        let metadata = fs::metadata(&folder).map_err(|error| problem(&error.to_string()))?;
        if !metadata.is_dir() || file_system_magic(&folder) != Some(CGROUP2_MAGIC) {
            return Err(problem("not a directory of the unified cgroup hierarchy"));
        }
        let below: PathBuf = folder
            .strip_prefix(root)
            .map(Path::to_owned)
            .unwrap_or_default();
        let level = u32::try_from(below.components().count()).unwrap_or(u32::MAX);
        // The number of a cgroup is that of its directory.
        return Ok(Scope {
            cgroup_id: metadata.ino(),
            level,
        });
    }
    Err(problem(
        "no unified cgroup hierarchy is mounted at /sys/fs/cgroup",
    ))
}

fn file_system_magic(path: &Path) -> Option<i64> {
    let path = std::ffi::CString::new(path.to_str()?).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends with NUL, and the answer has the size that the call fills.
    let result = unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) };
    // SAFETY: filled, because the call succeeded.
    (result == 0).then(|| unsafe { answer.assume_init() }.f_type)
}

#[cfg(test)]
mod tests {
    use super::{NO_BTF, NO_PRIVILEGE, NO_RING_BUFFER, advice_for, missing_of};

    #[test]
    fn the_advice_keeps_every_lsm_that_is_active() {
        let advice = advice_for(Some("lockdown,capability,landlock,yama,apparmor"));
        let line = "`lsm=lockdown,capability,landlock,yama,apparmor,bpf`";
        assert!(advice.contains(line), "{advice}");
        assert!(advice_for(None).contains("securityfs"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let with_btf = [
            (true, NO_PRIVILEGE),
            (true, NO_BTF),
            (false, NO_RING_BUFFER),
        ];
        assert_eq!(missing_of(&with_btf), [NO_RING_BUFFER]);
        let neither = [
            (true, NO_PRIVILEGE),
            (false, NO_BTF),
            (false, NO_RING_BUFFER),
        ];
        assert_eq!(missing_of(&neither), [NO_BTF, NO_RING_BUFFER]);
        // Without the privilege the rest is only a guess.
        let nothing = [(false, NO_PRIVILEGE), (false, NO_BTF)];
        assert_eq!(missing_of(&nothing), [NO_PRIVILEGE]);
        assert_eq!(missing_of(&[(true, NO_PRIVILEGE), (true, NO_BTF)]), [""; 0]);
    }
}
