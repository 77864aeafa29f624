//! Which addresses a `net_connect` rule matches.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::model::verdict::Verdict;

/// The addresses of one rule: those it lists, less those it excepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddressMatch {
    included: Vec<IpNet>,
    excluded: Vec<IpNet>,
}

/// The text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NetworkError {
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
}

impl AddressMatch {
    /// A rule that denies or alerts matches `deny` except `allow`; one that allows matches
    /// `allow` except `deny`. An empty first list stands for every address, of both families.
    pub fn new(verdict: Verdict, allow: Vec<IpNet>, deny: Vec<IpNet>) -> AddressMatch {
        let (included, excluded) = match verdict {
            Verdict::Allow => (allow, deny),
            Verdict::Deny | Verdict::Alert => (deny, allow),
        };
        AddressMatch { included, excluded }
    }

    /// Networks the rule is about; empty: every address.
    pub fn included(&self) -> &[IpNet] {
        &self.included
    }

    /// Networks the rule leaves out.
    pub fn excluded(&self) -> &[IpNet] {
        &self.excluded
    }

    /// Whether the rule matches every address, of families that Tyr does not read too.
    pub fn is_everything(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    /// Whether the rule matches a connection to `ip`. An IPv4-mapped address counts as IPv4; the
    /// unspecified address also counts as loopback, which is where Linux connects it to.
    pub fn matches(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        (self.included.is_empty() || contains(&self.included, ip)) && !contains(&self.excluded, ip)
    }
}

/// The loopback address that a connection to `ip` really goes to, if `ip` is unspecified.
pub fn loopback_of_unspecified(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

fn contains(networks: &[IpNet], ip: IpAddr) -> bool {
    let loopback = loopback_of_unspecified(ip);
    networks.iter().any(|network| {
        network.contains(&ip) || loopback.is_some_and(|loopback| network.contains(&loopback))
    })
}

/// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. An IPv4-mapped network becomes IPv4.
///
/// # Errors
/// Says why the text is no network; when only host bits are set, `help` has the network meant.
pub fn parse_cidr(text: &str) -> Result<IpNet, NetworkError> {
    let refused = |message: String, help: &str| NetworkError {
        message,
        help: help.to_owned(),
    };
    let network = match text.split_once('/') {
        None => IpNet::from(text.parse::<IpAddr>().map_err(|_| {
            refused(
                format!("`{text}` is not an address or a network"),
                "write an address such as 10.1.2.3 or a network such as 10.0.0.0/8; names are not possible",
            )
        })?),
        Some((address, length)) => {
            let address: IpAddr = address.parse().map_err(|_| {
                refused(
                    format!("`{address}` in `{text}` is not an address"),
                    "write all four numbers of an IPv4 network, as in 10.0.0.0/8",
                )
            })?;
            let most: u8 = if address.is_ipv4() { 32 } else { 128 };
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length
                .parse::<u8>()
                .ok()
                .filter(|&length| digits && length <= most)
                .ok_or_else(|| {
                    let message = format!("`/{length}` in `{text}` is not a prefix length");
                    refused(message, &format!("write a number from 0 to {most}"))
                })?;
            IpNet::new_assert(address, length)
        }
    };
    if network.addr() != network.network() {
        return Err(refused(
            format!("`{text}` has bits set behind its prefix"),
            &format!(
                "write {} for the network, or {} for the one address",
                network.trunc(),
                network.addr()
            ),
        ));
    }
    Ok(unmapped(network))
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`: connections to mapped addresses are IPv4 connections.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    match (
        six.addr().to_ipv4_mapped(),
        six.prefix_len().checked_sub(96),
    ) {
        (Some(four), Some(length)) => IpNet::V4(Ipv4Net::new_assert(four, length)),
        _ => network,
    }
}
