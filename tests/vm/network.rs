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

/// A connection by a socket of that protocol.
fn connect_by<T>(family: i32, kind: i32, protocol: i32, address: &T) -> i32 {
    let length = u32::try_from(size_of::<T>()).unwrap();
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK, protocol) };
    call!(libc::connect(
        socket,
        std::ptr::from_ref(address).cast(),
        length
    ))
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

/// Ports of loopback: 22 by no protocol, 53 not by UDP, 80 by no stream.
const SERVICES: &str = r#"  - name: ssh
    action: net_connect
    cidr_deny: [127.0.0.0/8, '::1/128']
    condition: resource.port == 22
    verdict: deny
  - name: udp
    action: net_connect
    condition: resource.port in [53, 853] && resource.protocol == "udp"
    verdict: deny
  - name: stream
    action: net_connect
    condition: resource.port >= 80 && resource.port < 81 && "tcp" == resource.protocol
    verdict: deny
"#;

#[test]
fn a_denied_port_is_not_reached_and_the_next_one_is() {
    let _turn = policy(SERVICES);
    let here = |port| v4([127, 0, 0, 1], port);
    let here6 = |port| v6("::1", port);
    let mapped = |port| v6("::ffff:127.0.0.1", port);
    type PortWay<'a> = (&'a str, Box<dyn Fn(u16) -> i32 + 'a>);
    let ways: [PortWay<'_>; 9] = [
        (
            "tcp",
            Box::new(|port| connect(AF_INET, SOCK_STREAM, &here(port))),
        ),
        (
            "tcp 6",
            Box::new(|port| connect(AF_INET6, SOCK_STREAM, &here6(port))),
        ),
        (
            "mapped",
            Box::new(|port| connect(AF_INET6, SOCK_STREAM, &mapped(port))),
        ),
        (
            "this host",
            Box::new(|port| connect(AF_INET, SOCK_STREAM, &v4([0; 4], port))),
        ),
        (
            "udp connect",
            Box::new(|port| connect(AF_INET, SOCK_DGRAM, &here(port))),
        ),
        (
            "udp sendto",
            Box::new(|port| send_to(AF_INET, SOCK_DGRAM, &here(port), 0)),
        ),
        (
            "udp 6",
            Box::new(|port| send_to(AF_INET6, SOCK_DGRAM, &here6(port), 0)),
        ),
        (
            "udp mapped",
            Box::new(|port| send_to(AF_INET6, SOCK_DGRAM, &mapped(port), 0)),
        ),
        (
            "fast open",
            Box::new(|port| send_to(AF_INET, SOCK_STREAM, &here(port), libc::MSG_FASTOPEN)),
        ),
    ];
    for (name, way) in &ways {
        assert_ne!(
            as_stranger(|| way(22)),
            EPERM,
            "{name}: denied to a stranger"
        );
        assert_eq!(as_agent(|| way(22)), EPERM, "{name}");
        for port in [21, 23, 22 << 8] {
            assert_ne!(as_agent(|| way(port)), EPERM, "{name}: port {port}");
        }
        // What was allowed just before is no leave for another port.
        let again = || {
            let before = [way(23), way(23)];
            if before.contains(&EPERM) { -1 } else { way(22) }
        };
        assert_eq!(as_agent(again), EPERM, "{name} after another port");
    }
    assert_ne!(
        as_agent(|| connect(AF_INET, SOCK_STREAM, &v4([192, 0, 2, 1], 22))),
        EPERM
    );
    assert_eq!(counts()["faults"], 0);
}

#[test]
fn protocols_are_told_apart() {
    let _turn = policy(SERVICES);
    const MPTCP: i32 = 262;
    const UDPLITE: i32 = 136;
    let by = |kind, protocol, port| connect_by(AF_INET, kind, protocol, &v4([127, 0, 0, 1], port));
    let table = [
        ("tcp", SOCK_STREAM, 0, [false, true]),
        ("mptcp", SOCK_STREAM, MPTCP, [false, true]),
        ("udp", SOCK_DGRAM, 0, [true, false]),
        ("udp-lite", SOCK_DGRAM, UDPLITE, [false, false]),
    ];
    for (name, kind, protocol, [on_53, on_80]) in table {
        for (port, denied) in [(53, on_53), (80, on_80)] {
            let stranger = as_stranger(|| by(kind, protocol, port));
            assert!(
                ![EPERM, libc::EBADF].contains(&stranger),
                "{name}: {stranger}"
            );
            let agent = as_agent(|| by(kind, protocol, port));
            assert_eq!(agent == EPERM, denied, "{name} {port}: {agent}");
        }
    }
    let after_tcp = || {
        by(SOCK_STREAM, 0, 53);
        by(SOCK_STREAM, 0, 53);
        by(SOCK_DGRAM, 0, 53)
    };
    assert_eq!(as_agent(after_tcp), EPERM, "udp after tcp to the same port");
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

/// A loose source route by 127.0.0.2, which the policy denies, as of RFC 791.
const ROUTE: [u8; 7] = [131, 7, 4, 127, 0, 0, 2];

/// Sends to an allowed address with that many parts of control data that change nothing, and then
/// perhaps the route.
fn send_with(plain: usize, route: bool) -> i32 {
    let mut control = Vec::new();
    let mut add = |kind: i32, part: &[u8]| {
        control.extend((16 + part.len()).to_ne_bytes());
        control.extend(libc::IPPROTO_IP.to_ne_bytes());
        control.extend(kind.to_ne_bytes());
        control.extend(part);
        control.resize(control.len().next_multiple_of(8), 0);
    };
    (0..plain).for_each(|_| add(libc::IP_TTL, &64_i32.to_ne_bytes()));
    if route {
        add(libc::IP_RETOPTS, &ROUTE);
    }
    let mut name = v4([127, 0, 0, 3], 9);
    let mut text = libc::iovec {
        iov_base: c"text".as_ptr().cast_mut().cast(),
        iov_len: 4,
    };
    let message = libc::msghdr {
        msg_name: (&raw mut name).cast(),
        msg_namelen: u32::try_from(size_of_val(&name)).unwrap(),
        msg_iov: &raw mut text,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: control.len(),
        msg_flags: 0,
    };
    let sent = call!(libc::syscall(
        libc::SYS_sendmsg,
        socket(libc::AF_INET, libc::SOCK_DGRAM),
        &raw const message,
        0
    ));
    assert!(sent == EPERM || sent == 0, "sendmsg: error {sent}");
    sent
}

#[test]
fn routes_count_as_every_address() {
    fn set(family: i32, level: i32, option: i32, value: &[u8]) -> i32 {
        call!(libc::setsockopt(
            socket(family, libc::SOCK_DGRAM),
            level,
            option,
            value.as_ptr().cast(),
            u32::try_from(value.len()).unwrap()
        ))
    }
    const FLOW_LABELS: i32 = 32;
    const OLD_OPTIONS: i32 = 6;
    let _turn = policy(POLICY);
    let four = || set(libc::AF_INET, libc::IPPROTO_IP, libc::IP_OPTIONS, &ROUTE);
    let dual = || set(libc::AF_INET6, libc::IPPROTO_IP, libc::IP_OPTIONS, &ROUTE);
    assert_eq!((as_stranger(four), as_stranger(dual)), (0, 0));
    assert_eq!((as_agent(four), as_agent(dual)), (EPERM, EPERM));
    for option in [libc::IPV6_RTHDR, OLD_OPTIONS, FLOW_LABELS] {
        let six = || set(libc::AF_INET6, libc::IPPROTO_IPV6, option, &[0; 4]);
        assert_ne!(as_stranger(six), EPERM, "option {option}");
        assert_eq!(as_agent(six), EPERM, "option {option}");
    }
    let ttl = || {
        set(
            libc::AF_INET,
            libc::IPPROTO_IP,
            libc::IP_TTL,
            &[64, 0, 0, 0],
        )
    };
    assert_eq!(as_agent(ttl), 0, "what is no route");

    for plain in [0, 1, 15] {
        let routed = || send_with(plain, true);
        assert_eq!(
            (as_stranger(routed), as_agent(routed)),
            (0, EPERM),
            "{plain}"
        );
        assert_eq!(as_agent(|| send_with(plain + 1, false)), 0, "{plain}");
    }
    assert_eq!(as_stranger(|| send_with(17, false)), 0);
    assert_eq!(
        as_agent(|| send_with(17, false)),
        EPERM,
        "not read to the end"
    );

    install(&deny("exec", "/nowhere"));
    assert_eq!((as_agent(four), as_agent(|| send_with(0, true))), (0, 0));
}
