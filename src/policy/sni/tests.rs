use super::ServerNamePattern;

fn matches(pattern: &str, name: &str) -> bool {
    ServerNamePattern::parse(pattern).unwrap().matches(name)
}

#[test]
fn names_match_as_the_reference_says() {
    let table = [
        ("*.openai.com", "api.openai.com", true),
        ("*.openai.com", "a.b.openai.com", true),
        ("*.openai.com", "openai.com", false),
        ("*.openai.com", ".openai.com", false),
        ("*.openai.com", "notopenai.com", false),
        ("*.openai.com|*.anthropic.com", "api.anthropic.com", true),
        ("*.OpenAI.com | api.example.com.", "API.EXAMPLE.COM.", true),
        ("api.openai.com", "x.api.openai.com", false),
        ("*", "anything", true),
        ("*", "", false),
        ("my_host.lan", "my_host.lan", true),
    ];
    for (pattern, name, expected) in table {
        assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
    }
}

#[test]
fn wrong_names_are_refused_with_their_place() {
    let table = [
        ("", 0, "empty server name"),
        ("a.com|", 6, "empty server name"),
        ("a.com| |b.com", 7, "empty server name"),
        ("api.*.com", 4, "whole first label"),
        ("*api.com", 0, "whole first label"),
        ("**.com", 0, "whole first label"),
        ("*.", 0, "whole first label"),
        ("a..com", 2, "empty label"),
        (".com", 0, "empty label"),
        ("b\u{fc}cher.de", 0, "xn--"),
        ("https://a.com", 0, "`:`"),
        ("a.com:443", 2, "`:`"),
        ("10.0.0.1", 0, "net_connect"),
        ("ok.com|bad host.com", 7, "` `"),
    ];
    for (text, offset, part) in table {
        let error = ServerNamePattern::parse(text).expect_err(text);
        assert!(error.message.contains(part), "{text}: {error}");
        assert_eq!(error.offset, offset, "{text}: {error}");
    }
    let label = "a".repeat(64);
    assert!(
        ServerNamePattern::parse(&label)
            .unwrap_err()
            .message
            .contains("at most 63")
    );
    let name = vec!["a".repeat(60); 5].join(".");
    assert!(
        ServerNamePattern::parse(&name)
            .unwrap_err()
            .message
            .contains("at most 253")
    );
}
