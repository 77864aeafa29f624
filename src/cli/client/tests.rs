use hyper::StatusCode;

use super::{Address, path_segment, query_string, refusal};
use crate::exit::Exit;

#[test]
fn addresses_are_what_people_write() {
    for (text, expected) in [
        ("tyr.example.com", "https://tyr.example.com:7701"),
        ("tyr.example.com:99", "https://tyr.example.com:99"),
        ("https://tyr.example.com", "https://tyr.example.com:443"),
        (
            "https://tyr.example.com:7701/",
            "https://tyr.example.com:7701",
        ),
        ("127.0.0.1", "https://127.0.0.1:7701"),
        ("[::1]:8", "https://[::1]:8"),
    ] {
        assert_eq!(
            Address::parse(text).unwrap().to_string(),
            expected,
            "{text}"
        );
        assert_eq!(
            Address::parse(expected).unwrap().to_string(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn other_texts_are_refused_with_what_to_write() {
    for text in [
        "",
        "http://a",
        "ftp://a",
        "https://a/b",
        "a:0",
        "a:99999",
        "u@a",
        "a b",
        "a?x",
        ":1",
    ] {
        let failure = Address::parse(text).expect_err(text);
        assert_eq!(failure.exit, Exit::Usage, "{text}");
        assert!(failure.help.contains("HOST:PORT"), "{text}");
    }
}

#[test]
fn targets_are_encoded() {
    assert_eq!(path_segment("a/../b c"), "a%2F..%2Fb%20c");
    let pairs = [
        ("resource".to_owned(), "/etc/&=é".to_owned()),
        ("x".to_owned(), String::new()),
    ];
    assert_eq!(query_string(&pairs), "?resource=%2Fetc%2F%26%3D%C3%A9&x=");
    assert_eq!(query_string(&[]), "");
}

#[test]
fn a_refused_policy_shows_every_problem() {
    let body = br#"{"type":"urn:tyr:problem:policy","title":"Bad Request","status":400,
        "detail":"the policy is not valid","problems":[
        {"source":"p.yaml","line":3,"column":5,"path":"spec.rules[0].verdict","message":"missing",
         "help":"add one","warning":false}]}"#;
    let failure = refusal(StatusCode::BAD_REQUEST, body);
    assert_eq!(failure.exit, Exit::Data);
    assert_eq!(
        failure.message,
        "the policy is not valid\np.yaml:3:5: error: spec.rules[0].verdict: missing\n  help: add one"
    );
}

#[test]
fn a_status_is_an_exit() {
    for (status, exit) in [
        (401, Exit::NoPermission),
        (404, Exit::NoName),
        (409, Exit::Data),
        (503, Exit::Unavailable),
        (302, Exit::Protocol),
    ] {
        assert_eq!(
            refusal(StatusCode::from_u16(status).unwrap(), b"<html>").exit,
            exit
        );
    }
}
