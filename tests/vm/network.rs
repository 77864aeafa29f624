//! Connections by every call that makes one.

use libc::EPERM;
use tyr::kernel::record::Object;

use crate::guest::*;
use crate::syscall::*;

const POLICY: &str = "  - name: far\n    action: net_connect\n    cidr_deny: [192.0.2.0/24, '2001:db8::/32', 127.0.0.2/32]\n    verdict: deny\n";

fn v4(address: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address),
        },
        sin_zero: [0; 8],
    }
}

fn v6(address: &str, port: u16) -> libc::sockaddr_in6 {
    let address: std::net::Ipv6Addr = address.parse().unwrap();
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as u16,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr {
            s6_addr: address.octets(),
        },
        sin6_scope_id: 0,
    }
}

fn socket(family: i32, kind: i32) -> i32 {
    // SAFETY: no pointers.
    unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK, 0) }
}

fn connect<T>(family: i32, kind: i32, address: &T) -> i32 {
    let length = u32::try_from(size_of::<T>()).unwrap();
    call!(libc::connect(
        socket(family, kind),
        std::ptr::from_ref(address).cast(),
        length
    ))
}

fn send_to<T>(family: i32, kind: i32, address: &T, flags: i32) -> i32 {
    let length = u32::try_from(size_of::<T>()).unwrap();
    call!(libc::sendto(
        socket(family, kind),
        c"x".as_ptr().cast(),
        1,
        flags,
        std::ptr::from_ref(address).cast(),
        length
    ) as i64)
}

use libc::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM};

#[test]
fn a_denied_address_is_not_reached() {
    let _turn = policy(POLICY);
    let far = v4([192, 0, 2, 1], 443);
    let far6 = v6("2001:db8::1", 443);
    let mapped = v6("::ffff:192.0.2.1", 443);
    let ways: [(&str, Way<'_>); 8] = [
        ("tcp", Box::new(|| connect(AF_INET, SOCK_STREAM, &far))),
        ("tcp 6", Box::new(|| connect(AF_INET6, SOCK_STREAM, &far6))),
        (
            "mapped",
            Box::new(|| connect(AF_INET6, SOCK_STREAM, &mapped)),
        ),
        (
            "udp connect",
            Box::new(|| connect(AF_INET, SOCK_DGRAM, &far)),
        ),
        (
            "udp sendto",
            Box::new(|| send_to(AF_INET, SOCK_DGRAM, &far, 0)),
        ),
        (
            "udp 6 sendto",
            Box::new(|| send_to(AF_INET6, SOCK_DGRAM, &far6, 0)),
        ),
        (
            "udp mapped",
            Box::new(|| send_to(AF_INET6, SOCK_DGRAM, &mapped, 0)),
        ),
        (
            "fast open",
            Box::new(|| send_to(AF_INET, SOCK_STREAM, &far, libc::MSG_FASTOPEN)),
        ),
    ];
    for (name, way) in &ways {
        assert_ne!(as_stranger(way), EPERM, "{name}: denied to a stranger");
        assert_eq!(as_agent(way), EPERM, "{name}");
    }
    let seen = decision(|operation| {
        matches!(
            operation.object,
            Object::Address {
                port: 443,
                protocol: 6,
                ..
            }
        )
    });
    let ip = Some("192.0.2.1".parse().unwrap());
    assert_eq!(
        seen.object,
        Object::Address {
            ip,
            port: 443,
            protocol: 6
        }
    );
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn an_allowed_address_is_reached() {
    let _turn = policy(POLICY);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reach = move |ip: &str| match std::net::TcpStream::connect((ip, port)) {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(-1),
    };
    assert_eq!(as_agent(move || reach("127.0.0.1")), 0);
    assert_eq!(as_agent(move || reach("127.0.0.2")), EPERM);
    let zero = v4([0, 0, 0, 0], port);
    let any = move || connect(AF_INET, SOCK_STREAM, &zero);
    assert_ne!(as_agent(any), EPERM);
    install(&POLICY.replace("127.0.0.2/32", "127.0.0.1/32"));
    assert_eq!(as_agent(any), EPERM, "0.0.0.0 is this host");
    // Ending an association is no connection.
    let unspec = libc::sockaddr {
        sa_family: 0,
        sa_data: [0; 14],
    };
    assert_eq!(as_agent(|| connect(AF_INET, SOCK_DGRAM, &unspec)), 0);
}

#[test]
fn sockets_that_reach_anything_count_as_every_address() {
    let _turn = policy(POLICY);
    fn make(family: i32, kind: i32, protocol: i32) -> i32 {
        call!(libc::socket(family, kind, protocol))
    }
    let raw = || make(libc::AF_INET, libc::SOCK_RAW, 1);
    let packet = || make(libc::AF_PACKET, libc::SOCK_RAW, 0);
    assert_eq!((as_stranger(raw), as_stranger(packet)), (0, 0));
    assert_eq!((as_agent(raw), as_agent(packet)), (EPERM, EPERM));
    assert_eq!(as_agent(|| make(libc::AF_UNIX, libc::SOCK_STREAM, 0)), 0);
    assert_eq!(as_agent(|| make(libc::AF_NETLINK, libc::SOCK_RAW, 0)), 0);
    install(&deny("exec", "/nowhere"));
    assert_eq!(as_agent(raw), 0, "no rule about connections, no denial");
}
