use super::{Component, LikePiece, Pattern, Token};

fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern).unwrap().matches(path.as_bytes())
}

#[test]
fn wildcards_mean_what_the_reference_says() {
    let table = [
        ("/etc/*", "/etc/passwd", true),
        ("/etc/*", "/etc/ssl/certs", false),
        ("/etc/*", "/etc", false),
        ("/etc/*", "/etc/.hidden", true),
        ("/home/*/.ssh/**", "/home/ann/.ssh/id_rsa", true),
        ("/home/*/.ssh/**", "/home/ann/.ssh/keys/old/id", true),
        ("/home/*/.ssh/**", "/home/ann/.ssh", false),
        ("/home/*/.ssh/**", "/home/ann/x/.ssh/id", false),
        ("/bin/rm", "/bin/rm", true),
        ("/bin/rm", "/bin/rmdir", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/a/x/y/b", true),
        ("/a/**/b", "/a/xb", false),
        ("/a/**/b/**", "/a/b/c", true),
        ("/a/**/b/**", "/a/b", false),
        ("*", "/", true),
        ("*", "/usr/bin/env", true),
        ("**", "/usr/bin/env", true),
        ("/**", "/", true),
        ("/", "/", true),
        ("/", "/a", false),
        ("id_rsa", "/home/ann/.ssh/id_rsa", true),
        ("id_rsa", "/id_rsa", true),
        ("id_rsa", "/id_rsa.pub", false),
        ("*.pem", "/srv/tls/key.pem", true),
        (".ssh/*", "/root/.ssh/known_hosts", true),
        ("/f?", "/fa", true),
        ("/f?", "/f", false),
        ("/f?", "/f/", false),
        ("/f?", "/f\u{e9}", false),
        ("/f[abc]", "/fb", true),
        ("/f[!abc]", "/fb", false),
        ("/f[!abc]", "/fd", true),
        ("/f[!abc]", "/f/", false),
        ("/f[a-c]x", "/fbx", true),
        ("/f[a-]", "/f-", true),
        ("/f[]a]", "/f]", true),
        ("/f[!]a]", "/f]", false),
        ("/f[ -~]", "/f/", false),
        ("/f[[]", "/f[", true),
        ("/f]", "/f]", true),
        ("/a*b*c", "/aXbXbXc", true),
        ("/a*b*c", "/aXbXbX", false),
        ("/**/a/**/b", "/x/a/a/y/b", true),
    ];
    for (pattern, path, expected) in table {
        assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
    }
}

#[test]
fn a_path_is_absolute() {
    for path in ["", "etc/passwd", "memfd:x"] {
        assert!(!matches("*", path), "{path}");
    }
}

#[test]
fn wrong_patterns_are_refused_with_their_place() {
    let table = [
        ("", 0, "empty pattern"),
        ("/a/", 2, "trailing slash"),
        ("/a//b", 3, "`//`"),
        ("//", 1, "trailing slash"),
        ("/a/./b", 3, "`.`"),
        ("/a/../b", 3, "`..`"),
        ("..", 0, "`..`"),
        ("/a/**b", 3, "`**` is only"),
        ("/a/b**", 4, "`**` is only"),
        ("/a/***", 3, "`**` is only"),
        ("/a/[bc", 3, "without `]`"),
        ("/a/[]", 3, "without `]`"),
        ("/a/[z-a]", 4, "reversed"),
        ("/a/[b/c]", 5, "no wildcard matches a slash"),
        ("/a/[^b]", 4, "[!"),
        ("/a/[\u{e9}]", 4, "single bytes"),
        ("~/.ssh/*", 0, "home directory"),
        ("/a\0b", 2, "NUL"),
    ];
    for (text, offset, part) in table {
        let error = Pattern::parse(text).expect_err(text);
        assert!(error.message.contains(part), "{text}: {error}");
        assert_eq!(error.offset, offset, "{text}: {error}");
    }
    let long = format!("/{}", "a".repeat(super::PATTERN_BYTES_MAX));
    assert!(
        Pattern::parse(&long)
            .unwrap_err()
            .message
            .contains("at most 4096")
    );
}

#[test]
fn literals_are_told_from_globs() {
    assert_eq!(
        Pattern::parse("/bin/rm").unwrap().literal(),
        Some(b"/bin/rm".to_vec())
    );
    assert_eq!(Pattern::parse("/").unwrap().literal(), Some(b"/".to_vec()));
    for glob in ["rm", "/bin/*", "/bin/r?", "/bin/[r]m", "/**"] {
        assert_eq!(Pattern::parse(glob).unwrap().literal(), None, "{glob}");
    }
}

#[test]
fn a_literal_is_matched_byte_for_byte() {
    for path in [&b"/a*b/[c]?"[..], b"/k\xff\n", b"/", b"/plain"] {
        let pattern = Pattern::from_literal(path);
        assert!(pattern.matches(path), "{pattern}");
        assert_eq!(pattern.literal().as_deref(), Some(path));
    }
    assert!(!Pattern::from_literal(b"/a*b").matches(b"/axb"));
    let written = Pattern::from_literal(b"/a*b/[c]?");
    assert_eq!(
        Pattern::parse(written.as_str()).unwrap().as_str(),
        "/a[*]b/[[]c][?]"
    );
}

#[test]
fn repeated_any_depth_is_one() {
    let pattern = Pattern::parse("/a/**/**/b").unwrap();
    let byte = |b| Component::Segment(vec![Token::Byte(b)]);
    assert_eq!(
        pattern.components(),
        [byte(b'a'), Component::AnyDepth, byte(b'b')]
    );
    assert_eq!(pattern.as_str(), "/a/**/**/b");
}

#[test]
fn a_pattern_of_every_path_is_known_as_one() {
    let paths: [&[u8]; 5] = [b"/", b"/a", b"/.a", b"/a/b", b"/memfd:x"];
    for text in ["*", "**", "/**", "**/*", "/**/*", "**/**"] {
        let pattern = Pattern::parse(text).unwrap();
        assert!(pattern.is_everything(), "{text}");
        assert!(paths.iter().all(|path| pattern.matches(path)), "{text}");
    }
    for text in [
        "/", "/*", "a", "?*", "[!a]*", "*a", "*/**", "/**/*/**", "/a/**",
    ] {
        let pattern = Pattern::parse(text).unwrap();
        assert!(!pattern.is_everything(), "{text}");
        assert!(!paths.iter().all(|path| pattern.matches(path)), "{text}");
    }
    assert!(Pattern::from_cedar_like(&[LikePiece::Wildcard]).is_everything());
    assert!(!Pattern::from_cedar_like(&[]).is_everything());
}

#[test]
fn cedar_like_crosses_slashes() {
    let like = |pieces: &[LikePiece<'_>]| Pattern::from_cedar_like(pieces);
    let pattern = like(&[
        LikePiece::Literal("/etc/"),
        LikePiece::Wildcard,
        LikePiece::Literal(".key"),
    ]);
    assert!(pattern.matches(b"/etc/a/b.key"));
    assert!(pattern.matches(b"/etc/.key"));
    assert!(!pattern.matches(b"/etc/a/b.keys"));
    let star = like(&[LikePiece::Literal("/a*?")]);
    assert!(star.matches(b"/a*?") && !star.matches(b"/axx"));
}
