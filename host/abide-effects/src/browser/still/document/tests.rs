use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Without an eye on the clock: what the tests are built with is slow.
pub(in super::super) fn page(text: &str) -> Document {
    let url = Url::parse("https://a.example/folder/page").unwrap();
    Document::parse_within(text, url, Duration::from_mins(1)).unwrap()
}

fn refused(text: &str) -> String {
    match Document::parse_within(text, Url::parse("https://a.example/").unwrap(), Duration::from_mins(1)) {
        Err(BrowseFailure::Failed(why)) => why,
        other => panic!("it was read: {:?}", other.map(|page| page.nodes())),
    }
}

#[test]
fn a_path_leads_back_to_its_element_alone() {
    let text = "<!DOCTYPE html><title>t</title><div><p>a<p>b<span>c</span>d<b>e</b></div><table><tr><td>1<td>2</table>\
        <svg><path/><g:odd/></svg><template><i>no</i></template>";
    for counts in [false, true] {
        let mut page = page(text);
        if counts {
            page.count_places();
        }
        for element in
            page.elements().filter(|one| !one.ancestors().any(|within| within.value().is_fragment()))
        {
            let path = page.path(element);
            let found: Vec<_> = page.select(&path, 9).unwrap().iter().map(|one| one.id()).collect();
            assert_eq!(found, [element.id()], "{path}");
        }
    }
}

#[test]
fn elements_come_in_the_order_of_the_document() {
    // What does not belong into a table comes before it, though it is read later.
    let page = page("<table id=2><tr><td id=3><p id=1></table><p id=4>");
    let fostered = super::super::document::tests::page("<table id=2><p id=1>x</p><tr><td id=3></table>");
    let ids = |page: &Document, selector: &str| -> Vec<String> {
        page.select(selector, 99).unwrap().iter().map(|one| one.attr("id").unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&page, "[id]"), ["2", "3", "1", "4"]);
    assert_eq!(ids(&fostered, "[id]"), ["1", "2", "3"]);
    assert_eq!(ids(&fostered, "[id]:not(p)"), ["2", "3"]);
    assert_eq!(fostered.select("html", 9).unwrap().len(), 1);
}

#[test]
fn addresses_are_those_that_a_browser_takes() {
    let plain = page("<a href=x>");
    assert_eq!(plain.resolve(" ../b#c ").unwrap().as_str(), "https://a.example/b");
    assert_eq!(page("<base href=/other/>").resolve("b").unwrap().as_str(), "https://a.example/other/b");
    assert_eq!(
        page("<base href='javascript:x'>").resolve("b").unwrap().as_str(),
        "https://a.example/folder/b"
    );
}

#[test]
fn no_selector_is_not_found() {
    let page = page("<p>");
    for selector in ["", "p >", "::before", "p[", &"p ".repeat(600)] {
        assert!(matches!(page.select(selector, 1), Err(BrowseFailure::NotFound(_))), "{selector}");
    }
}

fn numbered(many: usize, part: impl Fn(&mut String, usize)) -> String {
    let mut text = String::new();
    (0..many).for_each(|number| part(&mut text, number));
    text
}

/// The worst that is known, by what it would cost without bounds: attributes are compared with each other, formatting elements are opened
/// again in each paragraph, what does not belong into a table is moved out of all of them, and each element looks at all siblings before it.
#[test]
fn the_worst_page_costs_about_a_second() {
    let attributes = numbered(400_000, |text, number| write!(text, "a{number} ").unwrap());
    let formats = numbered(400, |text, number| write!(text, "<b a={number}>").unwrap());
    let pages = [
        ("attributes", format!("<p {attributes}>")),
        ("formats", format!("{formats}{}", "<p>x".repeat(500_000))),
        ("unclosed", "<b><i><u><font>".repeat(300_000)),
        ("adoption", format!("{}{}", "<a><b><i>".repeat(150), "</a><a></b><b>".repeat(100_000))),
        ("nested", "<div>".repeat(1_000_000)),
        ("tables", "<table><tr><td>".repeat(200_000)),
        ("fosters", format!("<table>{}", "<p>x".repeat(500_000))),
        ("selects", "<select><option><optgroup>".repeat(300_000)),
        ("wide", "<br>".repeat(2_000_000)),
        ("comment", format!("<!--{}", "-".repeat(16 << 20))),
        ("text", "x".repeat(31 << 20)),
        ("entities", "&ampx;&notit;&#x".repeat(1 << 20)),
        ("large", " ".repeat(33 << 20)),
    ];
    for (name, text) in pages {
        let clock = Clock::start(TIME_MAX);
        drop(Document::parse(&text, Url::parse("https://a.example/").unwrap()));
        let took = clock.elapsed();
        assert!(took < TIME_MAX + Duration::from_millis(500), "{name}: {took:?}");
    }
}

#[test]
fn what_is_beyond_a_bound_is_said() {
    assert!(refused(&"<div>".repeat(600)).contains("512"));
    let formats = numbered(600, |text, number| write!(text, "<b a={number}><p>").unwrap());
    assert!(refused(&formats).contains("512"));
    assert!(refused(&"<br>".repeat(500_001)).contains("500,000"));
    let many = numbered(6_000, |text, number| write!(text, "a{number} ").unwrap());
    assert!(refused(&format!("<p {many}>")).contains("5,000"));
    assert!(refused(&" ".repeat(33 << 20)).contains("32 MiB"));
    page(&"<div>".repeat(505));
}

#[test]
fn a_selector_costs_about_a_second() {
    let page = page(&"<p>".repeat(200_000));
    for selector in
        ["p ~ p ~ b", "body:has(p ~ b)", "p:nth-child(2n+1):nth-last-child(3n)", "p:not(:has(~ b))"]
    {
        let clock = Clock::start(TIME_MAX);
        drop(page.select(selector, usize::MAX));
        assert!(clock.elapsed() < TIME_MAX + Duration::from_millis(500), "{selector}: {:?}", clock.elapsed());
    }
}

proptest! {
    #[test]
    fn no_markup_stops_it(parts in prop::collection::vec(0..24_usize, 0..200)) {
        const PARTS: [&str; 24] = [
            "<table>", "</table>", "<tr>", "<td rowspan=3 colspan=2>", "<b>", "</b>", "<p>", "</p>", "<a href=x>", "</a>", "<svg>",
            "<math>", "<mi>", "</svg>", "<select>", "<option>", "<template>", "</template>", "text", "<!--", "-->", "<form>", "<input>",
            "<frameset>",
        ];
        let text: String = parts.iter().map(|part| PARTS[*part]).collect();
        let mut page = page(&text);
        drop(super::super::read::text(&page));
        drop(super::super::read::tables(&mut page));
        drop(super::super::read::links(&mut page));
        drop(super::super::read::elements(&mut page, "*", 1_000));
    }
}
