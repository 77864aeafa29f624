//! Ungoverned processes that act for whoever asks.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use libc::EPERM;
use tyr::policy::builtin;

use crate::guest::*;
use crate::syscall::*;

/// The text of the rules of the built-in policy.
fn builtin_rules() -> &'static str {
    let text = builtin::named(builtin::DEPUTIES)
        .expect("it comes with Tyr")
        .text;
    text.split_once("  rules:\n").expect("it has rules").1
}

fn outcome<T>(result: std::io::Result<T>) -> i32 {
    result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |_| 0)
}

fn abstract_name(name: &[u8]) -> SocketAddr {
    SocketAddr::from_abstract_name(name).expect("a short name")
}

/// Answers one question for each connection, as a service that acts would.
fn serve(listener: UnixListener) {
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut asked = [0; 4];
            if client.read_exact(&mut asked).is_ok() && asked == *b"run\n" {
                client.write_all(b"done").ok();
            }
        }
    });
}

/// 0 when the service has acted.
fn ask(mut stream: UnixStream) -> i32 {
    let mut answer = [0; 4];
    let asked = stream
        .write_all(b"run\n")
        .and_then(|()| stream.read_exact(&mut answer));
    if answer == *b"done" {
        0
    } else {
        outcome(asked)
    }
}

fn ask_at(address: &SocketAddr) -> i32 {
    UnixStream::connect_addr(address).map_or_else(|error| error.raw_os_error().unwrap_or(-1), ask)
}

#[test]
fn abstract_names_are_judged_as_they_are() {
    let rules = [
        "/abstract:/tmp/.X11-unix/*",
        "/abstract:exact",
        "/abstract:a?b",
        "/abstract:deep/**",
    ];
    let rules: String = rules
        .iter()
        .map(|pattern| deny("file_write", pattern))
        .collect();
    let _turn = policy(&rules);
    for (name, denied) in [
        (&b"/tmp/.X11-unix/X0"[..], true),
        (b"/tmp/.X11-unix/a/b", false),
        (b"exact", true),
        (b"exact\0", false),
        (b"exac", false),
        (b"a\0b", true),
        (b"deep/x//y", true),
        (&[b'n'; 107], false),
    ] {
        let address = abstract_name(name);
        serve(UnixListener::bind_addr(&address).expect("listening"));
        assert_eq!(as_stranger(|| ask_at(&address)), 0, "{name:?}");
        let expected = if denied { EPERM } else { 0 };
        assert_eq!(as_agent(|| ask_at(&address)), expected, "{name:?}");
    }
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn datagrams_to_abstract_names_are_judged() {
    let _turn = policy(&deny("file_write", "/abstract:service"));
    let address = abstract_name(b"service");
    let service = UnixDatagram::bind_addr(&address).expect("bound");
    let send = || {
        let socket = UnixDatagram::unbound().expect("a socket");
        outcome(socket.send_to_addr(b"x", &address))
    };
    let connect = || {
        let socket = UnixDatagram::unbound().expect("a socket");
        outcome(socket.connect_addr(&address))
    };
    assert_eq!((as_stranger(send), as_stranger(connect)), (0, 0));
    assert_eq!((as_agent(send), as_agent(connect)), (EPERM, EPERM));
    drop(service);
}

#[test]
fn the_sockets_of_a_session_stay_free() {
    let _turn = policy(&deny("file_write", "/abstract:other*"));
    let within = || {
        let (one, two) = UnixDatagram::pair().expect("a pair");
        let paired = outcome(one.send(b"x").and_then(|_| two.send(b"y")));
        let (mut one, mut two) = UnixStream::pair().expect("a pair");
        let streamed = outcome(one.write_all(b"x").and_then(|()| two.read_exact(&mut [0])));
        // A name that the kernel chooses, and an answer to a socket without a name.
        let own = UnixListener::bind_addr(&abstract_name(b"")).map(|_| ());
        let address = abstract_name(b"own");
        serve(UnixListener::bind_addr(&address).expect("listening"));
        paired + streamed + own.map_or(1, |()| 0) + ask_at(&address)
    };
    assert_eq!(as_agent(within), 0);
}

#[test]
fn a_container_service_acts_for_nobody_governed() {
    let _turn = policy(builtin_rules());
    let path = "/run/docker.sock";
    std::fs::remove_file(path).ok();
    serve(UnixListener::bind(path).expect("listening"));
    let display = abstract_name(b"/tmp/.X11-unix/X1");
    serve(UnixListener::bind_addr(&display).expect("listening"));
    symlink(path, "/tmp/vm-docker-link");
    for way in [
        path,
        "/tmp/vm-docker-link",
        "/proc/self/root/run/docker.sock",
    ] {
        let ask_path =
            || UnixStream::connect(way).map_or_else(|e| e.raw_os_error().unwrap_or(-1), ask);
        assert_eq!(as_stranger(ask_path), 0, "{way}");
        assert_eq!(as_agent(ask_path), EPERM, "{way}");
    }
    assert_eq!(as_stranger(|| ask_at(&display)), 0);
    assert_eq!(as_agent(|| ask_at(&display)), EPERM);
    denied(path);
    std::fs::remove_file(path).ok();
}

#[test]
fn what_runs_later_cannot_be_left_where_nothing_is_yet() {
    let _turn = policy(builtin_rules());
    let home = folder("deputies/home");
    std::fs::create_dir_all(home.join("work/.git/hooks")).expect("folders");
    std::fs::create_dir_all(home.join(".config")).expect("folders");
    std::fs::create_dir_all(home.join(".ssh")).expect("folders");
    fill(&home, &["payload"]);
    let payload = home.join("payload");
    for name in [
        ".bashrc",
        ".zshenv",
        ".ssh/authorized_keys",
        ".config/systemd",
        "work/.git/hooks/pre-commit",
        ".gitconfig",
    ] {
        let target = home.join(name);
        let (from, to) = (
            payload.to_str().expect("text"),
            target.to_str().expect("text"),
        );
        let ways: [(&str, Way<'_>); 5] = [
            (
                "create",
                Box::new(|| open(to, libc::O_WRONLY | libc::O_CREAT)),
            ),
            ("link", Box::new(|| link(from, to))),
            ("rename", Box::new(|| rename(from, to))),
            ("symlink", Box::new(|| symlink(from, to))),
            ("mkdir", Box::new(|| mkdir(to))),
        ];
        for (way, call) in &ways {
            assert_eq!(as_agent(call), EPERM, "{way} {name}");
            assert!(!target.exists(), "{way} {name}");
        }
        assert_eq!(as_stranger(|| open(to, libc::O_WRONLY | libc::O_CREAT)), 0);
        let append = || open(to, libc::O_WRONLY | libc::O_APPEND);
        assert_eq!(as_agent(append), EPERM, "append {name}");
    }
    let sample = home.join("work/.git/hooks/pre-push.sample");
    let sample = sample.to_str().expect("text");
    assert_eq!(as_agent(|| open(sample, libc::O_WRONLY | libc::O_CREAT)), 0);
    let hook = sample.strip_suffix(".sample").expect("it ends so");
    assert_eq!(as_agent(|| rename(sample, hook)), EPERM);
    assert!(!Path::new(hook).exists());
}
