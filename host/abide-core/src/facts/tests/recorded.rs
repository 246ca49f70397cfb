//! Changes of which only the statistics were kept.

use super::super::recorded::NEED_CONTENTS;
use super::*;

fn file(path: &str, modes: (&str, &str), binary: bool) -> RecordedFile {
    let (old_mode, new_mode) = (modes.0.to_owned(), modes.1.to_owned());
    let status = if old_mode == "000000" { "A" } else { "M" }.to_owned();
    RecordedFile {
        path: path.to_owned(),
        status,
        old_mode,
        new_mode,
        added: 3,
        removed: 1,
        binary,
        bytes: 500,
    }
}

#[test]
fn what_is_not_known_is_not_clean() {
    let files = [file("b.lzma", ("000000", "100644"), true), file("a.txt", ("100644", "100755"), false)];
    let facts = meter().measure_recorded((Oid::zero(), Oid::zero()), &files, WindowFacts::default()).unwrap();
    assert_eq!(facts.unmeasured, NEED_CONTENTS);
    assert_eq!((facts.totals.added, facts.totals.binaries, facts.totals.made_executable), (6, 1, 1));
    assert_eq!(facts.window.totals, facts.totals);
    assert_eq!(facts.files.iter().map(|f| f.binary).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn odd_records_are_refused() {
    let measure =
        |file| meter().measure_recorded((Oid::zero(), Oid::zero()), &[file], WindowFacts::default());
    assert!(matches!(measure(file("a", ("9", "100644"), false)), Err(RecordedError::Mode { .. })));
    assert!(matches!(measure(file("a", ("000000", "000000"), false)), Err(RecordedError::Delta(_))));
}
