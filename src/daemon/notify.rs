//! What systemd is told: that the daemon is ready, and that it still works.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of sd_notify(3); says nothing when the daemon was not started by systemd.
#[derive(Debug, Default)]
pub struct Notifier {
    address: Option<SocketAddr>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn from_environment(socket: Option<&str>, watchdog_us: Option<&str>) -> Notifier {
        let address = socket.and_then(|text| match text.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(text).ok(),
        });
        let watchdog = watchdog_us
            .and_then(|text| text.parse().ok())
            .map(Duration::from_micros);
        Notifier { address, watchdog }
    }

    /// How often to say that the daemon works: half the time systemd waits.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|interval| interval / 2)
    }

    /// Sends one message, such as `READY=1`. A lost one is not worth failing for: systemd then
    /// acts as if the daemon hung, which is the safe side.
    pub fn send(&self, message: &str) {
        if let Some(address) = &self.address
            && let Ok(socket) = UnixDatagram::unbound()
        {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}
