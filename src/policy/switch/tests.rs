use super::*;

const TEXT: &str = "\
# What it is for.
apiVersion: tyr.dev/v1
kind: Policy
metadata:
  name: p
  labels: { enabled: \"yes\" }
spec:
  rules:
    # The first one.
    - name: one   # in short
      action: exec
      resource_pattern: \"*\"
      verdict: deny
    - action: exec
      resource_pattern: /a
      verdict: allow
      name: two
    - {name: three, action: exec, resource_pattern: /b, verdict: alert}
    - name: four
      enabled: no-such
    - name: five
      enabled: True # for now
      action: exec
";

#[test]
fn a_rule_is_switched_and_the_rest_stays() {
    let off = set(TEXT, "one", false).expect("it can be");
    let expected = TEXT.replace(
        "# in short\n      action",
        "# in short\n      enabled: false\n      action",
    );
    assert_eq!(off, expected);
    assert_eq!(disabled(&off).as_deref(), Ok(&["one".to_owned()][..]));
    assert!(differ_by_switches_only(TEXT, &off));
    let on = set(&off, "one", true).expect("it can be");
    assert_eq!(on, off.replace("enabled: false", "enabled: true"));
    assert_eq!(disabled(&on), Ok(Vec::new()));
    assert_eq!(set(&on, "one", true), Ok(on.clone()), "it was so");
}

#[test]
fn every_way_to_write_a_rule_can_be_switched() {
    let off = set(TEXT, "two", false).expect("the name is last");
    assert!(
        off.contains("    - enabled: false\n      action: exec"),
        "{off}"
    );
    let off = set(&off, "three", false).expect("in braces");
    assert!(
        off.contains("{name: three, enabled: false, action"),
        "{off}"
    );
    let off = set(&off, "five", false).expect("it has a switch");
    assert!(off.contains("enabled: false # for now"), "{off}");
    assert_eq!(disabled(&off).expect("a policy"), ["two", "three", "five"]);
    assert!(differ_by_switches_only(TEXT, &off));
}

#[test]
fn more_than_switches_is_more() {
    for (from, to) in [
        ("verdict: deny", "verdict: alert"),
        ("enabled: \"yes\"", "enabled: \"no\""),
        ("- name: four", "- name: 4th"),
        ("      resource_pattern: /a\n", ""),
    ] {
        assert!(TEXT.contains(from));
        assert!(
            !differ_by_switches_only(TEXT, &TEXT.replace(from, to)),
            "{to}"
        );
    }
    let commented = TEXT.replace("# The first one.", "# Another comment.");
    assert!(differ_by_switches_only(TEXT, &commented));
}

#[test]
fn what_cannot_be_switched_is_said() {
    let missing = set(TEXT, "ones", false).expect_err("no such rule");
    assert_eq!(
        missing.to_string(),
        "the policy has no rule `ones`: did you mean `one`?"
    );
    assert_eq!(set("a: [", "one", false), Err(SwitchError::NoPolicy));
    let two = format!("{TEXT}---\n{TEXT}");
    assert_eq!(set(&two, "one", false), Err(SwitchError::NoPolicy));
    // One word stands for two.
    let shared = "spec:\n  rules:\n    - {name: one, enabled: &e true}\n    \
                  - {name: two, enabled: *e}\n";
    assert!(matches!(
        set(shared, "one", false),
        Err(SwitchError::ByHand(_))
    ));
}
