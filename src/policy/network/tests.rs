use std::net::IpAddr;

use ipnet::IpNet;

use super::{AddressMatch, parse_cidr};
use crate::model::verdict::Verdict;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| parse_cidr(text).unwrap()).collect()
}

fn matched(verdict: Verdict, allow: &[&str], deny: &[&str], ip: &str) -> bool {
    AddressMatch::new(verdict, nets(allow), nets(deny)).matches(ip.parse::<IpAddr>().unwrap())
}

#[test]
fn verdict_decides_which_list_is_the_subject() {
    let (deny, allow) = (Verdict::Deny, Verdict::Allow);
    assert!(matched(deny, &[], &[], "8.8.8.8"));
    assert!(matched(deny, &[], &[], "2001:db8::1"));
    assert!(matched(deny, &[], &["10.0.0.0/8"], "10.1.2.3"));
    assert!(!matched(deny, &[], &["10.0.0.0/8"], "11.1.2.3"));
    assert!(!matched(
        deny,
        &["10.1.0.0/16"],
        &["10.0.0.0/8"],
        "10.1.2.3"
    ));
    assert!(!matched(deny, &["10.1.0.0/16"], &[], "10.1.2.3"));
    assert!(matched(deny, &["10.1.0.0/16"], &[], "2001:db8::1"));
    assert!(matched(Verdict::Alert, &[], &["10.0.0.0/8"], "10.1.2.3"));
    assert!(matched(allow, &["10.0.0.0/8"], &[], "10.1.2.3"));
    assert!(!matched(allow, &["10.0.0.0/8"], &[], "8.8.8.8"));
    assert!(!matched(
        allow,
        &["10.0.0.0/8"],
        &["10.1.0.0/16"],
        "10.1.2.3"
    ));
    assert!(matched(allow, &[], &["10.1.0.0/16"], "8.8.8.8"));
    assert!(!matched(deny, &[], &["::/0"], "8.8.8.8"));
    assert!(!matched(deny, &[], &["0.0.0.0/0"], "2001:db8::1"));
}

#[test]
fn only_a_rule_without_networks_is_about_everything() {
    let all = |allow: &[&str], deny: &[&str]| {
        AddressMatch::new(Verdict::Allow, nets(allow), nets(deny)).is_everything()
    };
    assert!(all(&[], &[]));
    assert!(!all(&["0.0.0.0/0", "::/0"], &[]));
    assert!(!all(&[], &["192.0.2.1"]));
}

#[test]
fn mapped_addresses_are_ipv4() {
    assert!(matched(
        Verdict::Deny,
        &[],
        &["10.0.0.0/8"],
        "::ffff:10.1.2.3"
    ));
    assert!(matched(
        Verdict::Deny,
        &[],
        &["::ffff:10.0.0.0/104"],
        "10.1.2.3"
    ));
    assert_eq!(
        parse_cidr("::ffff:10.1.2.3").unwrap().to_string(),
        "10.1.2.3/32"
    );
    assert_eq!(
        parse_cidr("::ffff:0:0/96").unwrap().to_string(),
        "0.0.0.0/0"
    );
}

#[test]
fn the_unspecified_address_is_loopback() {
    assert!(matched(Verdict::Deny, &[], &["127.0.0.0/8"], "0.0.0.0"));
    assert!(matched(Verdict::Deny, &[], &["::1"], "::"));
    assert!(matched(Verdict::Deny, &[], &["0.0.0.0"], "0.0.0.0"));
    assert!(!matched(Verdict::Deny, &["127.0.0.0/8"], &[], "0.0.0.0"));
}

#[test]
fn wrong_networks_are_refused_with_the_one_meant() {
    let table = [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("10.0.0/8", "all four numbers"),
        ("10.0.0.0/33", "0 to 32"),
        ("::/129", "0 to 128"),
        ("10.0.0.0/", "0 to 32"),
        ("10.0.0.0/+8", "0 to 32"),
        ("example.com", "names are not possible"),
        ("", "write an address"),
        ("010.0.0.0/8", "all four numbers"),
    ];
    for (text, help) in table {
        let error = parse_cidr(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error:?}");
    }
    assert_eq!(parse_cidr("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
    assert_eq!(
        parse_cidr("2001:db8::/32").unwrap().to_string(),
        "2001:db8::/32"
    );
}
