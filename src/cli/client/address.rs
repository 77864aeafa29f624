//! The server's address as people write it.

use std::fmt;

use hyper::Uri;

use crate::exit::{Exit, Failure};

/// Port of the REST side.
const PORT: u16 = 7701;
const HTTPS_PORT: u16 = 443;

/// Host and port of the REST side; always TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// IPv6 in brackets.
    host: String,
    port: u16,
}

impl Address {
    /// From `HOST`, `HOST:PORT` or `https://HOST[:PORT]`. Without a scheme the port is 7701, with
    /// `https://` it is that of HTTPS.
    ///
    /// # Errors
    ///
    /// The text is no such address.
    pub fn parse(text: &str) -> Result<Address, Failure> {
        let wrong = |what: &str| {
            Failure::new(
                Exit::Usage,
                format!("`{text}` is not the address of a server: {what}"),
            )
            .help("write HOST, HOST:PORT or https://HOST:PORT")
        };
        let (has_scheme, full) = match text.split_once("://") {
            Some(("https", _)) => (true, text.to_owned()),
            Some(("http", _)) => return Err(wrong("Tyr speaks only TLS")),
            Some(_) => return Err(wrong("unknown scheme")),
            None => (false, format!("https://{text}")),
        };
        let uri: Uri = full.parse().map_err(|_| wrong("it cannot be read"))?;
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(wrong("it has a path"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user name"));
        }
        let host = authority.host().to_owned();
        let default = if has_scheme { HTTPS_PORT } else { PORT };
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            None => default,
            Some(port) => port
                .parse()
                .map_err(|_| wrong("its port is not a number to 65535"))?,
        };
        if host.is_empty() || port == 0 {
            return Err(wrong("it has no host or port"));
        }
        Ok(Address { host, port })
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}
