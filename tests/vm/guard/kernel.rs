//! Self-protection of the kernel: programs, modules, settings, devices.

use super::*;
use std::path::Path;

fn bpf(command: i64, attribute: &mut [u8; 128]) -> i32 {
    let at = attribute.as_mut_ptr() as i64;
    raw(libc::SYS_bpf, [command, at, 128, 0])
}

/// An attribute of 32-bit words.
fn words(values: &[u32]) -> [u8; 128] {
    let mut attribute = [0; 128];
    for (index, value) in values.iter().enumerate() {
        attribute[index * 4..index * 4 + 4].copy_from_slice(&value.to_ne_bytes());
    }
    attribute
}

/// Where a map of the programs of these tests is pinned.
fn pin(name: &str) -> String {
    let builds = std::fs::read_dir(PIN_DIR).expect("pins");
    let mut pins = builds.map(|build| build.expect("a build").path().join("maps").join(name));
    let pin = pins.find(|pin| pin.exists()).expect("a pinned map");
    pin.into_os_string().into_string().expect("plain letters")
}

#[test]
fn bpf_is_not_for_agents() {
    let _turn = policy(NOTHING);
    let path = c(pin("sessions"));
    let mut attribute = [0; 128];
    attribute[..8].copy_from_slice(&(path.as_ptr() as u64).to_ne_bytes());
    let ways: [(&str, Way<'_>); 4] = [
        ("OBJ_GET", Box::new(move || bpf(7, &mut attribute.clone()))),
        ("MAP_CREATE", Box::new(|| bpf(0, &mut words(&[2, 4, 4, 1])))),
        ("PROG_GET_NEXT_ID", Box::new(|| bpf(11, &mut words(&[0])))),
        ("MAP_GET_NEXT_ID", Box::new(|| bpf(12, &mut words(&[0])))),
    ];
    refused(&ways);
    assert!(matches!(refusal(OwnRule::Bpf).object, Object::Act(_)));
}

#[test]
fn pins_stay() {
    let _turn = policy(NOTHING);
    let at = |name: &str| c(format!("/sys/fs/bpf/{name}"));
    let make = || call!(libc::mkdir(at("guard-test").as_ptr(), 0o700));
    let remove = || call!(libc::rmdir(at("guard-test").as_ptr()));
    let rename = || {
        call!(libc::rename(
            at("guard-test").as_ptr(),
            at("guard-2").as_ptr()
        ))
    };
    let back = || {
        call!(libc::rename(
            at("guard-2").as_ptr(),
            at("guard-test").as_ptr()
        ))
    };
    assert_eq!(as_agent(make), EPERM);
    assert_eq!(as_stranger(make), 0);
    assert_eq!(as_agent(rename), EPERM);
    assert_eq!((as_stranger(rename), as_stranger(back)), (0, 0));
    assert_eq!(as_agent(remove), EPERM);
    assert_eq!(as_stranger(remove), 0);
    let unlink = || call!(libc::unlink(c(pin("sessions")).as_ptr()));
    assert_eq!(as_agent(unlink), EPERM);
    assert_eq!(as_agent(|| open(pin("sessions"), libc::O_RDONLY)), EPERM);
    assert!(Path::new(&pin("sessions")).exists());
    refusal(OwnRule::Pins);
}

#[test]
fn the_file_system_of_the_pins_stays_mounted() {
    let _turn = policy(NOTHING);
    let dir = folder("guard-bpf");
    let point = c(dir.to_str().unwrap());
    let kind = c"bpf".as_ptr();
    // SAFETY: strings end with NUL.
    let mounted = unsafe { libc::mount(kind, point.as_ptr(), kind, 0, std::ptr::null()) };
    assert_eq!(mounted, 0);
    let lazily = || call!(libc::umount2(point.as_ptr(), libc::MNT_DETACH));
    assert_eq!(as_agent(lazily), EPERM);
    assert_eq!(
        as_agent(|| call!(libc::umount2(c"/sys".as_ptr(), libc::MNT_DETACH))),
        EPERM
    );
    refusal(OwnRule::Unmount);
    assert_eq!(as_stranger(lazily), 0);
    // A tree in a namespace of its own is the agent's business.
    let private = as_agent(|| {
        let mut error = call!(libc::unshare(libc::CLONE_NEWNS));
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let none = std::ptr::null();
        error += call!(libc::mount(none, c"/".as_ptr(), none, flags, none.cast()));
        error + call!(libc::umount2(c"/sys".as_ptr(), libc::MNT_DETACH))
    });
    assert_eq!(private, 0);
    assert!(Path::new(PIN_DIR).exists());
}

/// Writes what the file says already.
fn rewrite(path: &str) -> i32 {
    let flags = libc::O_WRONLY;
    // SAFETY: the path ends with NUL.
    let fd = unsafe { libc::open(c(path).as_ptr(), flags) };
    if fd < 0 { errno(-1) } else { 0 }
}

#[test]
fn settings_of_the_kernel_are_read_only() {
    let _turn = policy(NOTHING);
    let paths = [
        "/proc/sys/kernel/ftrace_enabled",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/kptr_restrict",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/suid_dumpable",
        "/proc/sys/net/core/bpf_jit_enable",
        "/proc/sysrq-trigger",
        "/proc/1/oom_score_adj",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/debug/clear_warn_once",
        "/sys/kernel/tracing/uprobe_events",
        "/sys/fs/cgroup/cgroup.procs",
    ];
    for path in paths {
        if path.ends_with("uevent_helper") && !Path::new(path).exists() {
            continue;
        }
        assert_eq!(as_stranger(|| rewrite(path)), 0, "{path}");
        assert_eq!(as_agent(|| rewrite(path)), EPERM, "{path}");
    }
    free(&[
        (
            "settings of the network",
            Box::new(|| rewrite("/proc/sys/net/ipv4/ping_group_range")),
        ),
        (
            "its own score",
            Box::new(|| rewrite("/proc/self/oom_score_adj")),
        ),
        (
            "reading",
            Box::new(|| read("/proc/sys/kernel/ftrace_enabled")),
        ),
        (
            "reading of /sys",
            Box::new(|| read("/sys/kernel/mm/transparent_hugepage/enabled")),
        ),
    ]);
    let seen = refusal(OwnRule::Kernel);
    let Object::File(place) = &seen.object else {
        panic!("{seen:?}");
    };
    assert_eq!(place.path, b"/sys/kernel/ftrace_enabled");
    refusal(OwnRule::ControlGroup);
    refusal(OwnRule::ProcessFile);
}

#[test]
fn another_mount_of_proc_changes_nothing() {
    let _turn = policy(NOTHING);
    let dir = folder("guard-proc");
    let point = c(dir.to_str().unwrap());
    let kind = c"proc".as_ptr();
    let elsewhere = || {
        // SAFETY: strings end with NUL.
        unsafe {
            libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWPID);
            let none = std::ptr::null();
            libc::mount(
                none,
                c"/".as_ptr(),
                none,
                libc::MS_REC | libc::MS_PRIVATE,
                none.cast(),
            );
        }
        in_fork(|| {
            let mounted = call!(libc::mount(kind, point.as_ptr(), kind, 0, std::ptr::null()));
            assert_eq!(mounted, 0);
            rewrite("/tmp/vm/guard-proc/sys/kernel/ftrace_enabled")
        })
    };
    refused(&[("a mount of its own", Box::new(elsewhere))]);
}

#[test]
fn capabilities_over_the_machine_are_not_held() {
    let _turn = policy(NOTHING);
    let image = [0u8; 8];
    let at = image.as_ptr() as i64;
    let name = c"tyr_guard_no_such_module".as_ptr() as i64;
    let now = libc::timespec {
        tv_sec: 1_800_000_000,
        tv_nsec: 0,
    };
    let bad = libc::timespec {
        tv_sec: 0,
        tv_nsec: -1,
    };
    let (clock, invalid) = (&raw const now as i64, &raw const bad as i64);
    let ways: [(&str, Way<'_>); 6] = [
        (
            "init_module",
            Box::new(move || raw(libc::SYS_init_module, [at, 8, c"".as_ptr() as i64, 0])),
        ),
        (
            "delete_module",
            Box::new(move || raw(libc::SYS_delete_module, [name, 0, 0, 0])),
        ),
        (
            "kexec_load",
            Box::new(|| raw(libc::SYS_kexec_load, [0, 1000, 0, 0])),
        ),
        (
            "reboot",
            Box::new(|| raw(libc::SYS_reboot, [0xfee1_dead, 672_274_793, 1, 0])),
        ),
        (
            "clock_settime",
            Box::new(move || raw(libc::SYS_clock_settime, [0, clock, 0, 0])),
        ),
        ("iopl", Box::new(|| raw(libc::SYS_iopl, [3, 0, 0, 0]))),
    ];
    refused(&ways);
    assert_eq!(
        as_stranger(|| raw(libc::SYS_clock_settime, [0, invalid, 0, 0])),
        libc::EINVAL
    );
    refusal(OwnRule::Capability);
    // Root of a user namespace is root over nothing of this.
    let inside = as_agent(|| {
        call!(libc::unshare(libc::CLONE_NEWUSER)) + call!(libc::sethostname(c"x".as_ptr(), 0))
    });
    assert_eq!(inside, EPERM, "the kernel's own answer");
}

#[test]
fn the_rest_of_what_root_can_do() {
    let _turn = policy(NOTHING);
    let ways: [(&str, Way<'_>); 4] = [
        (
            "perf_event_open",
            Box::new(|| {
                let mut attribute = [0u64; 16];
                attribute[0] = 1 | 128 << 32; // PERF_TYPE_SOFTWARE, size
                let at = attribute.as_ptr();
                call!(libc::syscall(libc::SYS_perf_event_open, at, 0, -1, -1, 0))
            }),
        ),
        (
            "PR_SET_MM",
            Box::new(|| call!(libc::prctl(libc::PR_SET_MM, 99, 0, 0, 0))),
        ),
        ("TIOCSTI", Box::new(|| terminal(libc::TIOCSTI))),
        ("TIOCLINUX", Box::new(|| terminal(libc::TIOCLINUX))),
    ];
    refused(&ways);
    free(&[(
        "other settings of a process",
        Box::new(|| call!(libc::prctl(libc::PR_SET_NAME, c"name".as_ptr(), 0, 0, 0))),
    )]);
    for rule in [OwnRule::Perf, OwnRule::MemoryMap, OwnRule::Ioctl] {
        refusal(rule);
    }
}

/// An ioctl on a new terminal that the caller does not control: a stranger gets another errno.
fn terminal(request: libc::c_ulong) -> i32 {
    let master = descriptor("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY);
    let byte = 6u8;
    let error = call!(libc::ioctl(master, request, &raw const byte));
    assert!(master >= 0);
    error
}

#[test]
fn devices_below_the_file_systems_are_closed() {
    let _turn = policy(NOTHING);
    let dir = folder("guard-dev");
    let make = |name: &str, kind: u32, device: libc::dev_t| {
        let path = c(dir.join(name).to_str().unwrap());
        call!(libc::mknod(path.as_ptr(), kind | 0o600, device))
    };
    let fresh = |name: &str| format!("{name}-{}", std::process::id());
    let loop0 = libc::makedev(7, 0);
    let (memory, null) = (libc::makedev(1, 1), libc::makedev(1, 3));
    let ways: [(&str, Way<'_>); 2] = [
        (
            "mknod of a disk",
            Box::new(|| make(&fresh("disk"), libc::S_IFBLK, loop0)),
        ),
        (
            "mknod of memory",
            Box::new(|| make(&fresh("mem"), libc::S_IFCHR, memory)),
        ),
    ];
    refused(&ways);
    free(&[(
        "mknod of null",
        Box::new(|| make(&fresh("null"), libc::S_IFCHR, null)),
    )]);
    assert_eq!(
        make("disk", libc::S_IFBLK, loop0) + make("mem", libc::S_IFCHR, memory),
        0
    );
    let paths = ["disk", "mem"].map(|name| dir.join(name).to_str().unwrap().to_owned());
    for path in &paths {
        // Whether the device is there or not is for the kernel to say to others.
        assert_ne!(as_stranger(|| read(path.as_str())), EPERM, "{path}");
        assert_eq!(as_agent(|| read(path.as_str())), EPERM, "{path}");
    }
    assert_eq!(as_stranger(|| read("/proc/kcore")), 0);
    assert_eq!(as_agent(|| read("/proc/kcore")), EPERM);
    assert_eq!(as_agent(|| read("/dev/null")), 0);
    refusal(OwnRule::Device);
}

/// One setting takes every program off its hook, with all links still in place. The canary is
/// what notices.
#[test]
fn the_canary_notices_that_nothing_is_denied() {
    use tyr::daemon::kernel::{Enforcement, Kernel};
    const SWITCH: &str = "/proc/sys/kernel/ftrace_enabled";
    let daemon = crate::daemon::Daemon::load();
    let kernel = &daemon.kernel;
    daemon.put_in_force(NOTHING);
    kernel.prove().expect("whole");
    for _ in 0..3 {
        kernel.prove().expect("by the canary alone");
    }
    daemon.put_in_force(&deny("exec", "/nowhere/else"));
    kernel
        .prove()
        .expect("it has its slot in the next generation");
    assert_eq!(kernel.enforcement(), Enforcement::Lsm);

    std::fs::write(SWITCH, "0").expect("root that is not governed may");
    let error = kernel.prove().expect_err("nothing is denied any more");
    let (claimed, limits) = (kernel.enforcement(), kernel.limits());
    std::fs::write(SWITCH, "1").expect("back on");
    assert!(error.to_string().contains("open"), "{error}");
    assert_eq!(claimed, Enforcement::Observe);
    assert!(limits[0].starts_with("unproven since "), "{limits:?}");
    kernel.prove().expect("it holds again");
    assert_eq!(kernel.enforcement(), Enforcement::Lsm);
    assert_eq!(kernel.limits(), Vec::<String>::new());
    daemon.release();
}
