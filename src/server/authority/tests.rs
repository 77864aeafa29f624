use super::{AuthorityError, SealKey};

#[test]
fn a_sealed_key_opens_only_with_its_seal() {
    let right = SealKey::from_hex(&"01".repeat(32)).expect("a seal key");
    let wrong = SealKey::from_hex(&"02".repeat(32)).expect("a seal key");
    let sealed = right.seal(b"secret".to_vec()).expect("sealed");
    assert!(!sealed.windows(6).any(|part| part == b"secret"));
    assert_eq!(right.open(&sealed).expect("opened"), b"secret");
    assert!(matches!(
        wrong.open(&sealed),
        Err(AuthorityError::WrongSeal)
    ));
    let mut changed = sealed.clone();
    changed[sealed.len() - 1] ^= 1;
    assert!(matches!(
        right.open(&changed),
        Err(AuthorityError::WrongSeal)
    ));
    assert!(matches!(
        right.open(&[1, 2, 3]),
        Err(AuthorityError::WrongSeal)
    ));
}

#[test]
fn a_seal_key_is_64_hex_digits() {
    assert!(SealKey::from_hex(&format!("{}\n", "ab".repeat(32))).is_ok());
    for wrong in ["", "ab", &"ab".repeat(31), &"xy".repeat(32)] {
        assert!(matches!(
            SealKey::from_hex(wrong),
            Err(AuthorityError::SealKey)
        ));
    }
}
