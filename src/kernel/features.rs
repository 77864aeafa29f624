//! Facts about the running kernel that loading needs; what a kernel takes is found by loading,
//! never by its version.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;

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
    match lsm_list() {
        Some(list) => format!(
            "`bpf` is not an active LSM: boot with `lsm={list},bpf` on the kernel command line"
        ),
        None => format!("{LSM_LIST} cannot be read: mount securityfs, or run as root"),
    }
}

/// Whether the kernel has a function, by its BTF.
pub(crate) fn has_function(name: &str) -> bool {
    Btf::from_vmlinux().is_ok_and(|btf| btf.type_by_name::<Func<'_>>(name).is_some())
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

/// Whether files on the file system at `path` can have several names, and can be looked at without
/// waiting for somebody else: it is neither the kernel's own nor served by a process or a network.
pub(crate) fn has_linkable_files(path: &Path) -> bool {
    // proc, sysfs, cgroup, cgroup2, debugfs, tracefs, bpf, securityfs, devpts, mqueue, pstore,
    // configfs, efivarfs, binfmt_misc, selinuxfs, autofs; fuse, nfs, smb, smb2, ceph.
    const OTHERS: [i64; 21] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0xcafe_4a11,
        0x7363_6673,
        0x1cd1,
        0x1980_0202,
        0x6165_676c,
        0x6265_6570,
        0xde5e_81e4,
        0x4249_4e4d,
        0xf97c_ff8c,
        0x0187,
        0x6573_5546,
        0x6969,
        0xff53_4d42,
        0xfe53_4d42,
        0x00c3_6400,
    ];
    file_system_magic(path).is_some_and(|magic| !OTHERS.contains(&magic))
}

fn file_system_magic(path: &Path) -> Option<i64> {
    let path = std::ffi::CString::new(path.to_str()?).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends with NUL, and the answer has the size that the call fills.
    let result = unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) };
    // SAFETY: filled, because the call succeeded.
    (result == 0).then(|| unsafe { answer.assume_init() }.f_type)
}
