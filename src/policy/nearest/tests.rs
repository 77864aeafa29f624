use super::*;

#[test]
fn names_what_was_probably_meant() {
    let fields = [
        "resource_pattern",
        "verdict",
        "severity",
        "cidr_allow",
        "file_read",
        "name",
    ];
    let table = [
        ("resource_patern", Some("resource_pattern")),
        ("resourcePattern", Some("resource_pattern")),
        ("resource-pattern", Some("resource_pattern")),
        ("verdcit", Some("verdict")),
        ("Verdict", Some("verdict")),
        ("cidr_alow", Some("cidr_allow")),
        ("read", Some("file_read")),
        ("nmae", Some("name")),
        ("id", None),
        ("xyzzy", None),
        ("", None),
    ];
    for (word, expected) in table {
        assert_eq!(nearest(word, &fields), expected, "{word}");
    }
    assert_eq!(help("xyzzy", &["a", "b"]), "expected one of a, b");
}

#[test]
fn a_long_word_costs_no_more_than_its_beginning() {
    assert_eq!(nearest(&"x".repeat(1 << 20), &["name"]), None);
}
