use super::*;
use crate::model::event::path_text;

#[test]
fn resources_are_read_by_action() {
    let ip = |text: &str, port, protocol| Resource::Address {
        ip: text.parse().expect("ip"),
        port,
        protocol,
    };
    let table = [
        (
            Action::FileRead,
            "/a/b",
            Resource::Paths(vec![b"/a/b".to_vec()]),
        ),
        (Action::Exec, "/", Resource::Paths(vec![b"/".to_vec()])),
        (
            Action::FileWrite,
            "/a\\xff\\x5c",
            Resource::Paths(vec![b"/a\xff\\".to_vec()]),
        ),
        (
            Action::FileWrite,
            "/a\\x5\\xzz",
            Resource::Paths(vec![b"/a\\x5\\xzz".to_vec()]),
        ),
        (
            Action::NetConnect,
            "10.0.0.1:443/tcp",
            ip("10.0.0.1", 443, Protocol::Tcp),
        ),
        (
            Action::NetConnect,
            "[2001:db8::1]:53/udp",
            ip("2001:db8::1", 53, Protocol::Udp),
        ),
        (
            Action::NetConnect,
            "[::ffff:10.0.0.1]:1/6",
            ip("10.0.0.1", 1, Protocol::Tcp),
        ),
        (
            Action::NetConnect,
            "10.0.0.1:0/132",
            ip("10.0.0.1", 0, Protocol::Other(132)),
        ),
        (
            Action::TlsConnect,
            "API.Example.",
            Resource::ServerName(Some("api.example".into())),
        ),
        (Action::TlsConnect, "", Resource::ServerName(None)),
    ];
    for (action, text, expected) in table {
        assert_eq!(resource(action, text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_resource_is_refused() {
    let paths = ["", "a", "./a", "/a/", "/a//b", "/a/../b", "/.", "/a\\x00"];
    for text in paths {
        assert!(resource(Action::FileRead, text).is_err(), "{text}");
    }
    let addresses = [
        "",
        "10.0.0.1",
        "10.0.0.1:443",
        "10.0.0.1/tcp",
        "10.0.0.1:99999/tcp",
        "2001:db8::1:443/tcp",
        "a:1/tcp",
        "10.0.0.1:1/icmp",
    ];
    for text in addresses {
        let error = resource(Action::NetConnect, text).expect_err(text);
        assert!(error.help.contains("10.1.2.3:443/tcp"));
    }
    for text in ["https://a", "a b", ".", "a/b", "ü.example"] {
        assert!(resource(Action::TlsConnect, text).is_err(), "{text}");
    }
}

#[test]
fn paths_of_events_are_read_back() {
    for bytes in [
        &b"/a b"[..],
        b"/\xc3\xbc",
        b"/\xff\\x",
        b"/\n\x7f",
        b"/\\",
        b"/\xc2\x85",
    ] {
        assert_eq!(path(&path_text(bytes)), Ok(bytes.to_vec()), "{bytes:?}");
    }
}

#[test]
fn times_are_the_wall_clock_of_their_offset() {
    let table = [
        ("2026-11-16T23:30:00Z", 23),
        ("2026-11-16T23:30:00+09:00", 23),
        ("2026-11-16T04:00:00.25-12:00", 4),
    ];
    for (text, hour) in table {
        assert_eq!(moment(text).expect(text).hour(), hour);
    }
    for text in [
        "",
        "now",
        "23:30",
        "2026-11-16",
        "2026-11-16T23:30:00",
        "2026-13-01T00:00:00Z",
        "2026-11-16T23:30:00+01:00[Europe/Berlin]",
    ] {
        assert!(moment(text).is_err(), "{text}");
    }
}

#[test]
fn abstract_sockets_are_named_byte_for_byte() {
    let named = path("/abstract:/tmp/.X11-unix/X0").expect("a name");
    assert_eq!(named, b"/abstract:/tmp/.X11-unix/X0");
    assert_eq!(
        path(r"/abstract:a\x00//.."),
        Ok(b"/abstract:a\0//..".to_vec())
    );
    assert_eq!(path("/abstract:"), Ok(b"/abstract:".to_vec()));
    assert!(path("/abstract/..").is_err());
}
