use rustls::pki_types::CertificateDer;

use super::{base64, fingerprint, pem};
use crate::tls;

#[test]
fn base64_is_that_of_rfc_4648() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

#[test]
fn a_certificate_comes_back_from_its_pem() {
    let der: Vec<u8> = (0..=255).collect();
    let text = pem(&CertificateDer::from(der.clone()));
    assert_eq!(tls::certificates(text.as_bytes()).unwrap()[0].as_ref(), der);
    assert!(text.lines().all(|line| line.len() <= 64));
}

#[test]
fn fingerprints_are_read_as_tools_print_them() {
    let plain = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    assert_eq!(fingerprint(&plain).unwrap(), fingerprint(&colons).unwrap());
    assert_eq!(
        fingerprint(&format!("sha256:{plain}")).unwrap(),
        fingerprint(&plain).unwrap()
    );
    assert!(fingerprint("12").is_err());
}
