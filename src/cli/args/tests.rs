use super::prepare;

fn check(typed: &[&str], expected: &[&str]) {
    let typed: Vec<String> = typed.iter().map(|arg| (*arg).to_owned()).collect();
    assert_eq!(prepare(&typed), expected);
}

#[test]
fn options_with_equals_signs_are_split_once() {
    check(
        &["audit", "tail", "--verdict=deny"],
        &["audit", "tail", "--verdict", "deny"],
    );
    check(&["--label=a=b"], &["--label", "a=b"]);
    check(&["--token="], &["--token", ""]);
}

#[test]
fn short_help_is_help() {
    check(&["policy", "-h"], &["policy", "--help"]);
}

#[test]
fn what_is_not_an_option_is_left_alone() {
    check(
        &["a=b", "-f=x", "--=x", "--a b=c"],
        &["a=b", "-f=x", "--=x", "--a b=c"],
    );
    check(&["x", "--", "-h", "--a=b"], &["x", "--", "-h", "--a=b"]);
}
