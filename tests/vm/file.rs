//! Reading and writing.

use libc::EPERM;

use crate::guest::*;

fn open(path: &str, flags: i32) -> i32 {
    // SAFETY: the path ends with NUL.
    errno(i64::from(unsafe { libc::open(c(path).as_ptr(), flags, 0o600) }))
}

#[test]
fn a_denied_open_gives_eperm_to_agents_only() {
    std::fs::create_dir_all("/tmp/t1").unwrap();
    std::fs::write("/tmp/t1/secret", "s").unwrap();
    std::fs::write("/tmp/t1/other", "o").unwrap();
    let _turn = policy(&deny("file_read", "/tmp/t1/secret"));
    assert_eq!(as_stranger(|| open("/tmp/t1/secret", libc::O_RDONLY)), 0);
    assert_eq!(as_agent(|| open("/tmp/t1/other", libc::O_RDONLY)), 0);
    assert_eq!(as_agent(|| open("/tmp/t1/secret", libc::O_WRONLY)), 0);
    assert_eq!(as_agent(|| open("/tmp/t1/secret", libc::O_RDONLY)), EPERM);
    denied("/tmp/t1/secret");
    assert_eq!(counts()["faults"], 0);
}
