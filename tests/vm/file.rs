//! Every way to read and to write.

use libc::EPERM;
use tyr::kernel::record::Record;
use tyr::policy::signatures::Signatures;

use crate::guest::*;
use crate::syscall::*;

#[test]
fn a_denied_open_gives_eperm_to_agents_only() {
    let dir = folder("open");
    let _turn = policy(&deny("file_read", "/tmp/vm/open/secret"));
    fill(&dir, &["secret", "other"]);
    assert_eq!(as_stranger(|| read("/tmp/vm/open/secret")), 0);
    assert_eq!(as_agent(|| read("/tmp/vm/open/other")), 0);
    assert_eq!(as_agent(|| open("/tmp/vm/open/secret", libc::O_WRONLY)), 0);
    assert_eq!(as_agent(|| read("/tmp/vm/open/secret")), EPERM);
    assert_eq!(
        as_agent(|| open("/tmp/vm/open/secret", libc::O_RDWR)),
        EPERM
    );
    denied("/tmp/vm/open/secret");
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn a_record_says_who_it_was() {
    const NAME: &[u8] = b"fifteen-letters";
    let dir = folder("who");
    let _turn = policy(&deny("file_read", "/tmp/vm/who/secret"));
    fill(&dir, &["secret"]);
    let attempt = || {
        let name = c(NAME);
        // SAFETY: the name ends with NUL; the rest are numbers.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NAME, name.as_ptr()), 0);
            assert_eq!(libc::setresgid(4243, 4244, 4245), 0);
            assert_eq!(libc::setresuid(4242, 4246, 4247), 0);
        }
        read("/tmp/vm/who/secret")
    };
    assert_eq!(as_agent(attempt), EPERM);
    denied("/tmp/vm/who/secret");
    let seen = records(|record| match record {
        Record::Operation(origin, operation) if origin.comm == NAME => Some((
            origin.uid,
            origin.gid,
            origin.parent_tgid,
            operation.agent_type,
        )),
        _ => None,
    });
    let agent = u32::from(Signatures::builtin().number(AGENT).expect("a signature"));
    assert_eq!(seen, [(4242, 4243, std::process::id(), agent)]);
}

#[test]
fn every_call_that_writes_is_file_write() {
    let dir = folder("write");
    fill(&dir, &["file", "free"]);
    std::fs::create_dir_all(dir.join("dir")).unwrap();
    let _turn = policy(&format!(
        "{}{}{}",
        deny("file_write", "/tmp/vm/write/file"),
        deny("file_write", "/tmp/vm/write/dir"),
        deny("file_write", "/tmp/vm/write/new-name")
    ));
    let base = "/tmp/vm/write";
    let (file, dir, new) = (
        format!("{base}/file"),
        format!("{base}/dir"),
        format!("{base}/new-name"),
    );
    let free = format!("{base}/free");
    let calls: [(&str, Way<'_>); 17] = [
        (
            "open for writing",
            Box::new(|| open(file.as_str(), libc::O_WRONLY)),
        ),
        (
            "append",
            Box::new(|| open(file.as_str(), libc::O_WRONLY | libc::O_APPEND)),
        ),
        (
            "O_TRUNC without writing",
            Box::new(|| open(file.as_str(), libc::O_RDONLY | libc::O_TRUNC)),
        ),
        (
            "create",
            Box::new(|| open(new.as_str(), libc::O_WRONLY | libc::O_CREAT)),
        ),
        (
            "unlink",
            Box::new(|| call!(libc::unlink(c(file.as_str()).as_ptr()))),
        ),
        (
            "rmdir",
            Box::new(|| call!(libc::rmdir(c(dir.as_str()).as_ptr()))),
        ),
        ("mkdir", Box::new(|| mkdir(&new))),
        (
            "mknod",
            Box::new(|| {
                call!(libc::mknod(
                    c(new.as_str()).as_ptr(),
                    libc::S_IFIFO | 0o600,
                    0
                ))
            }),
        ),
        ("symlink", Box::new(|| symlink("/x", &new))),
        ("link away", Box::new(|| link(&file, &format!("{base}/l1")))),
        ("link onto", Box::new(|| link(&free, &new))),
        (
            "rename away",
            Box::new(|| rename(&file, &format!("{base}/r1"))),
        ),
        ("rename onto", Box::new(|| rename(&free, &file))),
        (
            "truncate",
            Box::new(|| call!(libc::truncate(c(file.as_str()).as_ptr(), 0))),
        ),
        (
            "chmod",
            Box::new(|| call!(libc::chmod(c(file.as_str()).as_ptr(), 0o640))),
        ),
        (
            "chown",
            Box::new(|| call!(libc::chown(c(file.as_str()).as_ptr(), 1, 1))),
        ),
        (
            "setxattr",
            Box::new(|| {
                let (path, name) = (c(file.as_str()), c("user.x"));
                call!(libc::setxattr(
                    path.as_ptr(),
                    name.as_ptr(),
                    c"v".as_ptr().cast(),
                    1,
                    0
                ))
            }),
        ),
    ];
    for (name, call) in &calls {
        assert_eq!(as_agent(call), EPERM, "{name}");
    }
    denied(&file);
    denied(&new);
    denied(&dir);
    assert_eq!(as_agent(|| open(free.as_str(), libc::O_WRONLY)), 0);
    assert_eq!(
        std::fs::read(&file).unwrap(),
        b"content",
        "nothing was written"
    );
}

#[test]
fn unix_sockets_are_written_by_connecting() {
    folder("unix");
    let _turn = policy(&deny("file_write", "/tmp/vm/unix/denied"));
    let _denied = std::os::unix::net::UnixListener::bind("/tmp/vm/unix/denied").unwrap();
    let _free = std::os::unix::net::UnixListener::bind("/tmp/vm/unix/free").unwrap();
    let _datagrams = std::os::unix::net::UnixDatagram::bind("/tmp/vm/unix/d").unwrap();
    let connect = |path: &str| match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(-1),
    };
    assert_eq!(as_agent(|| connect("/tmp/vm/unix/free")), 0);
    assert_eq!(as_agent(|| connect("/tmp/vm/unix/denied")), EPERM);
    assert_eq!(as_stranger(|| connect("/tmp/vm/unix/denied")), 0);
    denied("/tmp/vm/unix/denied");
}

#[test]
fn a_received_descriptor_is_read() {
    use std::os::fd::AsRawFd;
    let dir = folder("receive");
    fill(&dir, &["secret"]);
    let _turn = policy(&deny("file_read", "/tmp/vm/receive/secret"));
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let secret = std::fs::File::open("/tmp/vm/receive/secret").unwrap();
    send_descriptor(ours.as_raw_fd(), secret.as_raw_fd());
    // The message comes without the descriptor that may not be read.
    assert_eq!(as_agent(|| receive_descriptor(theirs.as_raw_fd())), -1);
    send_descriptor(ours.as_raw_fd(), secret.as_raw_fd());
    assert!(as_stranger(|| receive_descriptor(theirs.as_raw_fd())) >= 0);
    denied("/tmp/vm/receive/secret");
}

#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fd: i32,
    pad: i32,
}

fn message(byte: &mut [u8; 1], control: &mut Control) -> (Box<libc::iovec>, libc::msghdr) {
    let mut vector = Box::new(libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    });
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut *vector;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut *control).cast();
    header.msg_controllen = size_of::<Control>();
    (vector, header)
}

fn control(fd: i32) -> Control {
    // SAFETY: all-zero is a valid cmsghdr.
    let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
    header.cmsg_len = size_of::<libc::cmsghdr>() + 4;
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    Control { header, fd, pad: 0 }
}

fn send_descriptor(socket: i32, fd: i32) {
    let (mut byte, mut control) = ([1], control(fd));
    let (_vector, header) = message(&mut byte, &mut control);
    assert_eq!(call!(libc::sendmsg(socket, &raw const header, 0) as i32), 0);
}

fn receive_descriptor(socket: i32) -> i32 {
    let (mut byte, mut control) = ([0], control(-1));
    control.header.cmsg_len = 0;
    let (_vector, mut header) = message(&mut byte, &mut control);
    assert_eq!(call!(libc::recvmsg(socket, &raw mut header, 0) as i32), 0);
    if header.msg_controllen == 0 || control.header.cmsg_len == 0 {
        -1
    } else {
        control.fd
    }
}
