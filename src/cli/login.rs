//! `tyr login`: which server, as whom, and which CA to believe.

mod first_use;

use std::io::Read;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use rustls::pki_types::CertificateDer;

use crate::exit::{Exit, Failure};
use crate::process::Process;
use crate::tls::Fingerprint;
use crate::wire::rest::WhoAmI;

use super::client::{Address, Client};
use super::credentials::{Credentials, read_ca};
use super::{Outcome, block_on, tell, write};

/// Keep the address of a server, a token for it, and its CA.
///
/// The token is read from standard input, or from --token. Without --ca-file and
/// --ca-fingerprint the CA that the server shows is believed, once, and its fingerprint is
/// printed: compare it with the one that `tyr server` printed at its first start.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "login")]
pub struct Args {
    /// address of the server: HOST, HOST:PORT or https://HOST:PORT
    #[argh(positional)]
    server: String,
    /// token of an administrator, operator or viewer; prefer standard input
    #[argh(option)]
    token: Option<String>,
    /// PEM file with the CA of the server
    #[argh(option, arg_name = "file")]
    ca_file: Option<PathBuf>,
    /// SHA-256 of the CA certificate, 64 hex digits
    #[argh(option, arg_name = "sha256")]
    ca_fingerprint: Option<String>,
}

/// A token is a short word; a longer input is some other file.
const TOKEN_BYTES_MAX: u64 = 4096;

pub fn run(process: &mut Process, args: &Args) -> Outcome {
    let address = Address::parse(&args.server)?;
    let ca_pem = match &args.ca_file {
        Some(path) => read_ca(path)?,
        None => shown_ca(process, &address, args.ca_fingerprint.as_deref())?,
    };
    let token = match &args.token {
        Some(token) => token.trim().to_owned(),
        None => read_token(process)?,
    };
    let credentials = Credentials {
        server: address.to_string(),
        token,
        ca_pem,
    };
    let client = Client::new(&credentials)?;
    let who: WhoAmI = block_on(client.get("whoami", &[]))?;
    let path = credentials.store(process)?;
    let text = format!("logged in to {address} as {} ({})\n", who.name, who.role);
    write(process, &super::output::plain_lines(&text))?;
    tell(process, &format!("kept in {}", path.display()));
    Ok(Exit::Ok)
}

/// The CA that the server shows, when it is the one asked for or none was asked for.
fn shown_ca(
    process: &mut Process,
    address: &Address,
    wanted: Option<&str>,
) -> Result<String, Failure> {
    let wanted = match wanted {
        None => None,
        Some(text) => Some(fingerprint(text)?),
    };
    let ca = block_on(first_use::ask(address))?;
    let found = Fingerprint::of(&ca);
    match wanted {
        Some(wanted) if wanted != found => Err(Failure::new(
            Exit::NoPermission,
            format!(
                "{address} shows another CA: its fingerprint is {}",
                found.to_hex()
            ),
        )
        .help("somebody may stand between you and the server; do not send it your token")),
        Some(_) => Ok(pem(&ca)),
        None => {
            tell(
                process,
                &format!("CA fingerprint of {address}: {}", found.to_hex()),
            );
            Ok(pem(&ca))
        }
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, Failure> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    Fingerprint::from_hex(digits.trim_start_matches("sha256").to_lowercase().as_str())
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

fn read_token(process: &mut Process) -> Result<String, Failure> {
    if process.stdin_is_terminal {
        tell(process, "token:");
    }
    let token = if process.stdin_is_terminal {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    } else {
        let mut text = String::new();
        (&mut process.stdin)
            .take(TOKEN_BYTES_MAX)
            .read_to_string(&mut text)
            .map(|_| text)
    };
    let token = token
        .map_err(|error| Failure::caused(Exit::NoInput, "cannot read the token", &error))?
        .trim()
        .to_owned();
    if token.is_empty() {
        return Err(Failure::new(Exit::Usage, "no token was given")
            .help("pipe the token to standard input, or give --token"));
    }
    Ok(token)
}

/// PEM of a certificate (RFC 7468): base64 in lines of 64.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = base64(certificate);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let index = (word >> (18 - 6 * place)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
