//! What is measured: batches of system calls, timed by the CPU clock of the calling thread.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the measured files are. Their names are 41 bytes long and have 6 components.
pub(crate) const FOLDER: &str = "/tmp/bench/instructions/per/open";
/// Denied by every policy of the benchmark: shows that one is in force.
pub(crate) const FORBIDDEN: &str = "/tmp/bench/forbidden";
const PROGRAM: &str = "/bin/true";
const PATH_BYTES: usize = 41;
const FILE_BYTES: usize = 4096;
/// Operations of one batch. A batch of fast calls must be long beside reading the clock.
const FILES: usize = 200;
const CALLS: usize = 2000;
const SOCKETS: usize = 64;
const EXECS: usize = 20;
/// Batches; the first ones warm up caches and are not counted.
const WARM: usize = 2;
const BATCHES: usize = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    Getppid,
    /// Files that nobody governed has opened before.
    OpenFirst,
    /// The same files again.
    Open,
    Read,
    Create,
    Rename,
    Exec,
    /// To another address every time.
    ConnectFirst,
    ConnectUdp,
    ConnectSix,
    ConnectTcp,
}

pub(crate) const OPERATIONS: [Operation; 11] = [
    Operation::Getppid,
    Operation::OpenFirst,
    Operation::Open,
    Operation::Read,
    Operation::Create,
    Operation::Rename,
    Operation::Exec,
    Operation::ConnectFirst,
    Operation::ConnectUdp,
    Operation::ConnectSix,
    Operation::ConnectTcp,
];

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Getppid => "getppid",
            Operation::OpenFirst => "open, first time",
            Operation::Open => "open, again",
            Operation::Read => "open, read 4 KiB",
            Operation::Create => "create",
            Operation::Rename => "rename",
            Operation::Exec => "exec /bin/true",
            Operation::ConnectFirst => "connect, new",
            Operation::ConnectUdp => "connect, UDP",
            Operation::ConnectSix => "connect, IPv6",
            Operation::ConnectTcp => "connect, TCP",
        }
    }

    /// How many of them one scenario runs.
    pub(crate) fn runs(self) -> u64 {
        let (batches, size) = match self {
            Operation::OpenFirst => (1, FILES),
            Operation::Getppid => (BATCHES, CALLS),
            Operation::Open | Operation::Read | Operation::Create => (BATCHES, FILES),
            Operation::Rename => (BATCHES, 2 * FILES),
            Operation::Exec => (BATCHES, EXECS),
            Operation::ConnectFirst
            | Operation::ConnectUdp
            | Operation::ConnectSix
            | Operation::ConnectTcp => (BATCHES, SOCKETS),
        };
        (batches * size) as u64
    }
}

/// Puts the program that is executed, and what it loads, on tmpfs under its own names. The test
/// machine's files come from another host, whose file systems are not those that agents work on.
pub(crate) fn keep_program_in_memory() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the memory map");
    let of_libraries = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let of_libraries =
        of_libraries.filter(|path| path.contains("/libc.so") || path.contains("/ld-"));
    let names: BTreeSet<PathBuf> = [PROGRAM, "/etc/ld.so.cache"]
        .into_iter()
        .chain(of_libraries)
        .map(|path| Path::new(path).canonicalize().expect("a file"))
        .collect();
    assert_eq!(
        names.len(),
        4,
        "program, cache, loader and C library: {names:?}"
    );
    for name in names {
        let copy = Path::new("/tmp/program").join(name.strip_prefix("/").expect("absolute"));
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder on tmpfs");
        std::fs::copy(&name, &copy).expect("a copy");
        let [from, to] =
            [&copy, &name].map(|path| CString::new(path.as_os_str().as_bytes()).expect("no NUL"));
        // SAFETY: the paths end with NUL; a bind mount reads nothing else.
        sure(unsafe {
            libc::mount(
                from.as_ptr(),
                to.as_ptr(),
                std::ptr::null(),
                libc::MS_BIND,
                std::ptr::null(),
            )
        });
    }
}

/// Everything that the operations need, made before the clock runs.
pub(crate) struct Bench {
    files: Vec<CString>,
    others: Vec<CString>,
    forbidden: CString,
    program: CString,
    listener: TcpListener,
    datagrams: UdpSocket,
}

fn path(letter: char, index: usize) -> CString {
    let path = format!("{FOLDER}/{letter}{index:07}");
    assert_eq!(path.len(), PATH_BYTES, "{path}");
    CString::new(path).expect("no NUL")
}

/// The result of a call that may not fail.
fn sure(result: i32) -> i32 {
    assert!(result >= 0, "{}", std::io::Error::last_os_error());
    result
}

fn cpu(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid.
    sure(unsafe { libc::clock_gettime(clock, &raw mut time) });
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// CPU time of the children that were waited for.
fn children() -> u64 {
    // SAFETY: all-zero is a valid rusage, and it is written.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        sure(libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage));
        usage
    };
    [usage.ru_utime, usage.ru_stime]
        .map(|time| {
            time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_usec.cast_unsigned() * 1000
        })
        .iter()
        .sum()
}

impl Bench {
    /// Makes files that no process has opened since.
    pub(crate) fn new() -> Bench {
        std::fs::remove_dir_all(FOLDER).ok();
        std::fs::create_dir_all(FOLDER).expect("a folder on tmpfs");
        std::fs::write(FORBIDDEN, "x").expect("a file");
        let files: Vec<CString> = (0..FILES).map(|index| path('f', index)).collect();
        for file in &files {
            std::fs::write(file.to_str().expect("text"), [7; FILE_BYTES]).expect("a file");
        }
        Bench {
            files,
            others: (0..FILES).map(|index| path('g', index)).collect(),
            forbidden: CString::new(FORBIDDEN).expect("no NUL"),
            program: CString::new(PROGRAM).expect("no NUL"),
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener"),
            datagrams: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket"),
        }
    }

    /// Whether the policy in force denies this process what it must.
    pub(crate) fn is_denied(&self) -> bool {
        // SAFETY: the path ends with NUL.
        let fd = unsafe { libc::open(self.forbidden.as_ptr(), libc::O_RDONLY) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert!(fd >= 0 || error == Some(libc::EPERM), "{error:?}");
        fd < 0
    }

    /// Instructions per operation, in the order of `OPERATIONS`.
    pub(crate) fn measure(&self) -> Vec<f64> {
        // Not through the C library: its first call of a kind may do more.
        for file in &self.others {
            // SAFETY: the path ends with NUL.
            unsafe { libc::access(file.as_ptr(), libc::F_OK) };
        }
        OPERATIONS
            .into_iter()
            .map(|operation| self.least(operation))
            .collect()
    }

    /// Of the cheapest batch: interrupts and the kernel's deferred work only add to one.
    fn least(&self, operation: Operation) -> f64 {
        let (batches, warm) = match operation {
            Operation::OpenFirst => (1, 0),
            _ => (BATCHES, WARM),
        };
        (0..batches)
            .map(|_| self.batch(operation))
            .skip(warm)
            .fold(f64::INFINITY, f64::min)
    }

    fn batch(&self, operation: Operation) -> f64 {
        match operation {
            Operation::Getppid => timed(CALLS, || {
                for _ in 0..CALLS {
                    // SAFETY: takes no pointer.
                    unsafe { libc::syscall(libc::SYS_getppid) };
                }
            }),
            Operation::OpenFirst | Operation::Open => timed(FILES, || {
                for file in &self.files {
                    open_close(file, libc::O_RDONLY);
                }
            }),
            Operation::Read => timed(FILES, || self.files.iter().for_each(open_read_close)),
            Operation::Create => self.create(),
            Operation::Rename => timed(2 * FILES, || {
                rename_all(&self.files, &self.others);
                rename_all(&self.others, &self.files);
            }),
            Operation::Exec => self.exec(),
            Operation::ConnectFirst => {
                self.connect_udp(|index| Ipv4Addr::new(127, 0, 1, index as u8).into())
            }
            Operation::ConnectUdp => self.connect_udp(|_| Ipv4Addr::LOCALHOST.into()),
            Operation::ConnectSix => self.connect_udp(|_| Ipv6Addr::LOCALHOST.into()),
            Operation::ConnectTcp => self.connect_tcp(),
        }
    }

    fn create(&self) -> f64 {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let cost = timed(FILES, || {
            for file in &self.others {
                open_close(file, flags);
            }
        });
        for file in &self.others {
            // SAFETY: the path ends with NUL.
            sure(unsafe { libc::unlink(file.as_ptr()) });
        }
        cost
    }

    /// The child's side: from its birth by vfork, through exec, to its end.
    fn exec(&self) -> f64 {
        let arguments = [self.program.as_ptr(), std::ptr::null()];
        let environment = [std::ptr::null_mut()];
        let before = children();
        for _ in 0..EXECS {
            let mut pid = 0;
            let mut status = 0;
            // SAFETY: lists end with null, other pointers are valid; the child is ours.
            unsafe {
                let error = libc::posix_spawn(
                    &raw mut pid,
                    self.program.as_ptr(),
                    std::ptr::null(),
                    std::ptr::null(),
                    arguments.as_ptr().cast::<*mut libc::c_char>(),
                    environment.as_ptr(),
                );
                assert_eq!(error, 0, "exec");
                sure(libc::waitpid(pid, &raw mut status, 0));
            }
            assert_eq!(status, 0, "/bin/true");
        }
        (children() - before) as f64 / EXECS as f64
    }

    fn connect_udp(&self, address: impl Fn(usize) -> IpAddr) -> f64 {
        let port = self.datagrams.local_addr().expect("bound").port();
        let any: IpAddr = match address(0) {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let sockets: Vec<UdpSocket> = (0..SOCKETS)
            .map(|_| UdpSocket::bind((any, 0)).expect("a socket"))
            .collect();
        timed(SOCKETS, || {
            for (index, socket) in sockets.iter().enumerate() {
                connect(socket.as_raw_fd(), address(index), port);
            }
        })
    }

    fn connect_tcp(&self) -> f64 {
        let port = self.listener.local_addr().expect("bound").port();
        // SAFETY: takes no pointer.
        let sockets: Vec<i32> = (0..SOCKETS)
            .map(|_| sure(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) }))
            .collect();
        // Timers and memory of TCP fall due in some calls and not in others: of each call by
        // itself, the one in the middle has none of it.
        let mut costs: Vec<f64> = sockets
            .iter()
            .map(|socket| timed(1, || connect(*socket, Ipv4Addr::LOCALHOST.into(), port)))
            .collect();
        costs.sort_by(f64::total_cmp);
        for socket in sockets {
            // The far end closes first, so that no port stays taken.
            drop(self.listener.accept().expect("a connection"));
            // SAFETY: ours, and used no more.
            sure(unsafe { libc::close(socket) });
        }
        std::thread::sleep(Duration::from_millis(1));
        costs[costs.len() / 2]
    }
}

fn timed(count: usize, body: impl FnOnce()) -> f64 {
    let before = cpu(libc::CLOCK_THREAD_CPUTIME_ID);
    body();
    (cpu(libc::CLOCK_THREAD_CPUTIME_ID) - before) as f64 / count as f64
}

fn open_close(file: &CString, flags: i32) {
    // SAFETY: the path ends with NUL; the descriptor is ours.
    unsafe { sure(libc::close(sure(libc::open(file.as_ptr(), flags, 0o600)))) };
}

fn open_read_close(file: &CString) {
    let mut buffer = [0u8; FILE_BYTES];
    // SAFETY: the path ends with NUL, the buffer has that room; the descriptor is ours.
    unsafe {
        let fd = sure(libc::open(file.as_ptr(), libc::O_RDONLY));
        let read = libc::read(fd, buffer.as_mut_ptr().cast(), FILE_BYTES);
        assert_eq!(read, FILE_BYTES.cast_signed());
        sure(libc::close(fd));
    }
}

fn rename_all(from: &[CString], to: &[CString]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: the paths end with NUL.
        sure(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) });
    }
}

fn connect(socket: i32, address: IpAddr, port: u16) {
    match address {
        IpAddr::V4(address) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: port.to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.octets()),
                },
                sin_zero: [0; 8],
            };
            connect_to(socket, &name);
        }
        IpAddr::V6(address) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: port.to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: address.octets(),
                },
                sin6_scope_id: 0,
            };
            connect_to(socket, &name);
        }
    }
}

/// `name` is a socket address of its family's size.
fn connect_to<Name>(socket: i32, name: &Name) {
    let length = size_of::<Name>() as u32;
    // SAFETY: the address has that length.
    sure(unsafe { libc::connect(socket, std::ptr::from_ref(name).cast(), length) });
}
