use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::send;

fn received(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).expect("a message");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_state_reaches_a_socket_of_either_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    send(path.as_os_str().as_encoded_bytes(), "READY=1").expect("sent");
    assert_eq!(received(&socket), "READY=1");

    let name = format!("tyr-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket");
    send(format!("@{name}").as_bytes(), "STOPPING=1").expect("sent");
    assert_eq!(received(&socket), "STOPPING=1");
    assert!(send(b"/nonexistent/socket", "READY=1").is_err());
}
