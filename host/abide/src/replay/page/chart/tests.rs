use super::*;

fn counts(auto: u64, if_clean: u64, queue: u64, deny: u64) -> Counts {
    Counts { auto, if_clean, queue, deny }
}

#[test]
fn parts_of_a_bar_meet_and_fill_it() {
    let drawn = stacked(counts(1, 1, 2, 4), 7);
    assert_eq!(drawn.iter().map(|part| part.0).collect::<Vec<_>>(), ["auto", "clean", "queue", "deny"]);
    let mut bottom = TALL;
    for (_, _, top, height) in &drawn {
        assert_eq!(top + height, bottom, "{drawn:?}");
        bottom = *top;
    }
    assert_eq!(bottom, 0, "the tallest bar fills the picture");
    // What is not there is not drawn; nothing at all divides by nothing.
    assert_eq!(stacked(counts(0, 0, 0, 3), 6), [("deny", "#b0342c", TALL / 2, TALL / 2)]);
    assert!(stacked(counts(0, 0, 0, 0), 0).is_empty());
}

#[test]
fn a_span_is_as_fine_as_fits() {
    let day = |year, month, day| date(year, month, day);
    let fits = |span: Span, last| span.starts(day(2020, 1, 15), last, BARS_MAX).map(|starts| starts.len());
    assert_eq!(fits(Span::Day, day(2020, 2, 15)), Some(32));
    assert_eq!(fits(Span::Day, day(2020, 6, 1)), None);
    assert_eq!(fits(Span::Month, day(2020, 6, 1)), Some(6));
    assert_eq!(fits(Span::Quarter, day(2021, 4, 1)), Some(6));
    assert_eq!(fits(Span::Year, day(2021, 4, 1)), Some(2));
    assert_eq!(Span::Quarter.label(Span::Quarter.start(day(2020, 12, 31))), "2020 Q4");
    assert_eq!(Span::Month.label(Span::Month.start(day(2020, 12, 31))), "2020-12");
}

#[test]
fn times_that_cannot_be_do_not_break_the_chart() {
    assert_eq!(day(0), date(1970, 1, 1));
    assert_eq!(day(u64::MAX).year(), 9999);
    assert!(Span::Year.starts(date(1970, 1, 1), day(u64::MAX), usize::MAX).unwrap().len() < 9_000);
}
