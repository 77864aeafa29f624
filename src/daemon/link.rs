//! The line to the server: one gRPC channel that follows the host's certificate, and how long to
//! wait after it broke.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::transport::Channel;

use crate::exit::chain;
use crate::tls;

use super::identity::Identity;

const DELAY_MIN: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// Makes channels to one server.
#[derive(Clone)]
pub struct Link {
    server: String,
    identity: watch::Receiver<Arc<Identity>>,
}

impl Link {
    pub fn new(server: String, identity: watch::Receiver<Arc<Identity>>) -> Link {
        Link { server, identity }
    }

    /// A channel with the certificate of now.
    ///
    /// # Errors
    ///
    /// The identity cannot be used; said in words.
    pub fn channel(&mut self) -> Result<Channel, String> {
        let identity = Arc::clone(&self.identity.borrow_and_update());
        let config = identity.client().map_err(|error| chain(&error))?;
        tls::channel(&self.server, config).map_err(|error| chain(&error))
    }

    /// Returns when the certificate has been renewed: a stream that lives on keeps the old one.
    pub async fn renewed(&mut self) {
        if self.identity.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Exponential delay with a cap, and jitter so that a fleet does not come back all at once.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { next: DELAY_MIN }
    }
}

impl Backoff {
    /// How long to wait now: between half and all of a time that doubles from call to call.
    pub fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(DELAY_MAX);
        let random = tls::random::<4>().map_or(u32::MAX, u32::from_le_bytes);
        full / 2 + (full / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// After something worked.
    pub fn reset(&mut self) {
        self.next = DELAY_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, DELAY_MAX, DELAY_MIN};

    #[test]
    fn delays_double_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::default();
        let mut full = DELAY_MIN;
        for _ in 0..20 {
            let delay = backoff.delay();
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
            full = (full * 2).min(DELAY_MAX);
        }
        backoff.reset();
        assert!(backoff.delay() <= DELAY_MIN);
    }
}
