use super::shape::first_sentence;
use super::{Shell, script};

#[test]
fn sentences_end_at_their_first_period() {
    assert_eq!(first_sentence("Show it. Then go on."), "Show it");
    assert_eq!(first_sentence("Loads 4.4 of\nit."), "Loads 4.4 of it");
    assert_eq!(first_sentence(""), "");
}

#[test]
fn nothing_gives_a_script_without_commands() {
    for shell in Shell::ALL {
        assert!(!script(shell, &[]).contains("policy"), "{}", shell.name());
    }
}
