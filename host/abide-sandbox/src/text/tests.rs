use super::{clean_line, clean_text};

#[test]
fn what_a_terminal_would_obey_is_gone() {
    for (given, shown) in [
        ("plain", "plain"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}after", "after"),
        ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
        ("\u{9b}2Jcleared", "cleared"),
        ("a\rb\u{8}c", "abc"),
        ("two\nlines\tand", "two lines and"),
        ("ab\u{202e}cd\u{200b}e", "abcde"),
        ("\u{1b}", ""),
        ("\u{1b}(Bx", "x"),
        ("never ends \u{1b}]0;…", "never ends "),
    ] {
        assert_eq!(clean_line(given, 100), shown, "{given:?}");
    }
}

#[test]
fn it_is_cut_between_characters() {
    assert_eq!(clean_line("äöü", 3), "ä");
    assert_eq!(clean_text("a\nb", 100), "a\nb");
}
