use super::{Paint, Table, fields, plain};
use crate::process::Process;

#[test]
fn columns_are_aligned_and_lines_end_without_blanks() {
    let mut table = Table::new(&["NAME", "STATE", "X"]);
    table.row(["a".to_owned(), "revoked".to_owned(), String::new()]);
    table.row(["longer".to_owned(), "ok".to_owned(), "é1".to_owned()]);
    assert_eq!(
        table.text(),
        "NAME    STATE    X\na       revoked\nlonger  ok       é1\n"
    );
}

#[test]
fn nothing_can_repaint_the_terminal() {
    assert_eq!(
        plain("a\u{1b}[2Jb\n\t\u{7f}\u{9b}"),
        "a\\u{1b}[2Jb\\u{a}\\u{9}\\u{7f}\\u{9b}"
    );
    assert_eq!(plain("txt.\u{202e}exe"), "txt.\\u{202e}exe");
    assert_eq!(plain("Zürich 東京 \\x1b"), "Zürich 東京 \\x1b");
    let mut table = Table::new(&["A"]);
    table.row(["\r".to_owned()]);
    assert_eq!(table.text(), "A\n\\u{d}\n");
}

#[test]
fn fields_without_a_value_are_left_out() {
    let text = fields(&[
        ("id", "1".to_owned()),
        ("container", String::new()),
        ("exe", "/x".to_owned()),
    ]);
    assert_eq!(text, "id:         1\nexe:        /x\n");
}

#[test]
fn colours_only_on_a_terminal_that_wants_them() {
    let (mut process, _) = Process::for_test(&["tyr"], "");
    assert_eq!(Paint::of(&process).red("DENY"), "DENY");
    process.stdout_is_terminal = true;
    assert_eq!(Paint::of(&process).red("DENY"), "\u{1b}[31;1mDENY\u{1b}[0m");
    process.env.insert("NO_COLOR".to_owned(), "1".to_owned());
    assert_eq!(Paint::of(&process).red("DENY"), "DENY");
}
