use super::*;

fn said(seconds: i64) -> BreakGlass {
    let now = i64::try_from(Timestamp::now().as_nanosecond()).expect("a time of this century");
    BreakGlass {
        ends_ns: now + seconds * 1_000_000_000,
        reason: "a release".to_owned(),
        started_by: "ann".to_owned(),
    }
}

#[test]
fn it_ends_when_it_was_said_and_never_later_than_the_bound() {
    let held = Held::of(Some(&said(60)), None).expect("there is one");
    assert!(held.is_open() && held.left() <= Duration::from_secs(60));
    let over = Held::of(Some(&said(-1)), None).expect("there is one");
    assert!(!over.is_open());
    let long = Held::of(Some(&said(86_400)), None).expect("there is one");
    assert!(long.left() <= Duration::from_secs(BREAK_GLASS_S_MAX));
    assert!(Held::of(None, Some(&held)).is_none(), "it was ended early");
}

#[test]
fn hearing_it_again_makes_it_no_longer() {
    let told = said(86_400);
    let first = Held::of(Some(&told), None).expect("there is one");
    let again = Held::of(Some(&told), Some(&first)).expect("there is one");
    assert_eq!(first.deadline, again.deadline);
    let newer = said(30);
    let other = Held::of(Some(&newer), Some(&first)).expect("there is one");
    assert!(other.deadline < first.deadline);
}
