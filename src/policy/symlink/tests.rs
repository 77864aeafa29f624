use super::*;
use crate::policy::{LoadOptions, load};

/// A system where /bin is /usr/bin, /usr/bin/py is py3, /link leads to a name with a star, and
/// only some files exist.
fn resolver(path: &Path) -> Option<PathBuf> {
    let real = match path.to_str()? {
        "/" => "/",
        "/bin" | "/usr/bin" => "/usr/bin",
        "/usr" => "/usr",
        "/bin/rm" | "/usr/bin/rm" => "/usr/bin/rm",
        "/bin/py" | "/usr/bin/py" => "/usr/bin/py3",
        "/link" => "/st*r [x]",
        "/root-link" => "/",
        "/odd" => return Some(PathBuf::from(OsStr::from_bytes(b"/od\xff"))),
        _ => return None,
    };
    Some(real.into())
}

fn patterns(text: &str) -> (Vec<String>, Vec<Problem>) {
    let yaml = format!(
        "apiVersion: tyr.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    action: exec\n    resource_pattern: {text:?}\n    verdict: deny\n"
    );
    let loaded = load("", yaml.as_bytes(), &LoadOptions::default()).expect("valid");
    let mut policy = loaded.policies[0].policy.clone();
    let warnings = resolve_symlinks(&mut policy, &resolver);
    let again = resolve_symlinks(&mut policy, &resolver);
    assert_eq!(warnings, again, "resolving twice changes nothing");
    let Match::Path(patterns) = &policy.rules[0].matches else {
        panic!("paths")
    };
    (
        patterns
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        warnings,
    )
}

#[test]
fn literals_and_beginnings_gain_their_real_paths() {
    let table: [(&str, &[&str]); 14] = [
        ("/bin/rm", &["/bin/rm", "/usr/bin/rm"]),
        ("/usr/bin/rm", &["/usr/bin/rm"]),
        ("/bin/not-there", &["/bin/not-there", "/usr/bin/not-there"]),
        (
            "/bin/no/such/dir",
            &["/bin/no/such/dir", "/usr/bin/no/such/dir"],
        ),
        ("/bin/py", &["/bin/py", "/usr/bin/py3", "/usr/bin/py"]),
        ("/usr/bin/py", &["/usr/bin/py", "/usr/bin/py3"]),
        ("/bin/*", &["/bin/*", "/usr/bin/*"]),
        ("/bin/**/x[ab]", &["/bin/**/x[ab]", "/usr/bin/**/x[ab]"]),
        ("/bin/a/b*", &["/bin/a/b*", "/usr/bin/a/b*"]),
        ("/bin", &["/bin", "/usr/bin"]),
        ("/link/*", &["/link/*", "/st[*]r [[]x]/*"]),
        ("/root-link/*", &["/root-link/*", "/*"]),
        ("bin/rm", &["bin/rm"]),
        ("*", &["*"]),
    ];
    for (text, expected) in table {
        let (found, warnings) = patterns(text);
        assert_eq!(found, expected, "{text}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_beginning_that_no_pattern_can_say_is_a_warning() {
    let (found, warnings) = patterns("/odd/*");
    assert_eq!(found, ["/odd/*"]);
    assert_eq!(
        (warnings[0].path.as_str(), warnings[0].line),
        ("spec.rules[0].resource_pattern", 6)
    );
    assert!(warnings[0].warning);
    let (found, warnings) = patterns("/odd");
    assert_eq!(
        (found.len(), warnings.len()),
        (2, 0),
        "a literal is bytes and can be said"
    );
}

#[test]
fn questions_are_about_real_paths() {
    let table = [
        ("/bin/rm", "/usr/bin/rm"),
        ("/bin/py", "/usr/bin/py3"),
        ("/bin/new", "/usr/bin/new"),
        ("/bin/new/er", "/usr/bin/new/er"),
        ("/root-link/a", "/a"),
        ("/other/a", "/other/a"),
        ("/", "/"),
    ];
    for (path, real) in table {
        assert_eq!(
            resolve_path(path.as_bytes(), &resolver),
            real.as_bytes(),
            "{path}"
        );
    }
}
