use super::super::document::tests::page;
use super::*;

fn shows(text: &str) -> String {
    super::text(&page(text)).unwrap()
}

#[test]
fn a_text_is_what_is_seen() {
    for (markup, expected) in [
        ("<title>no</title><p>a  b\n c</p><p>d</p>", "a b c\nd"),
        ("a<br>b", "a\nb"),
        ("<b>a</b><i>b</i> <u>c</u>", "ab c"),
        ("a<script>no</script><style>no</style><template>no</template>b", "ab"),
        ("<noscript><p>turn it on</p></noscript>", "turn it on"),
        ("<p hidden>no</p><p style='display : NONE'>no</p><p>yes", "yes"),
        ("<pre> a\n  b</pre>c", "a\n  b\nc"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a\tb\nc\td"),
        ("<ul><li>a<li>b</ul>c", "a\nb\nc"),
        ("<input value=no><textarea>no</textarea><button>yes</button>", "yes"),
        ("&lt;b&gt; &amp; &eacute;", "<b> & é"),
    ] {
        assert_eq!(shows(markup), expected, "{markup}");
    }
}

#[test]
fn links_are_absolute_and_lead_to_pages() {
    let mut page = page(
        "<a href='b?x=1#y' rel='next nofollow'>n <b>e</b>xt</a><a href='mailto:a@b'>m</a><a>none</a><area href=//c.example>",
    );
    let links = links(&mut page).unwrap();
    let told: Vec<(&str, &str, &str)> =
        links.iter().map(|link| (link.url.as_str(), link.text.as_str(), link.rel.as_str())).collect();
    assert_eq!(
        told,
        [("https://a.example/folder/b?x=1", "n ext", "next nofollow"), ("https://c.example/", "", "")]
    );
    assert_eq!(page.select(&links[0].path, 9).unwrap().len(), 1);
}

fn grid(markup: &str) -> Vec<Vec<String>> {
    tables(&mut page(markup)).unwrap().remove(0).rows
}

#[test]
fn spans_stand_in_each_place() {
    for (markup, expected) in [
        ("<tr><th>a<th>b<tr><td>1<td>2", vec![vec!["a", "b"], vec!["1", "2"]]),
        ("<tr><td colspan=2>a<td>b<tr><td>1<td>2<td>3", vec![vec!["a", "a", "b"], vec!["1", "2", "3"]]),
        (
            "<tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e",
            vec![vec!["a", "b"], vec!["a", "c"], vec!["d", "e"]],
        ),
        ("<tr><td>a<td rowspan=2>b<tr><td>c", vec![vec!["a", "b"], vec!["c", "b"]]),
        ("<tr><td>a<td>b<td rowspan=2>c<tr><td>d", vec![vec!["a", "b", "c"], vec!["d", "", "c"]]),
        ("<tr><td rowspan=2 colspan=2>a<td>b<tr><td>c", vec![vec!["a", "a", "b"], vec!["a", "a", "c"]]),
        (
            "<tbody><tr><td rowspan=0>a<td>1<tr><td>2</tbody><tbody><tr><td>3",
            vec![vec!["a", "1"], vec!["a", "2"], vec!["3"]],
        ),
        ("<tr><td rowspan=x colspan=0>a<td>b", vec![vec!["a", "b"]]),
    ] {
        assert_eq!(grid(&format!("<table>{markup}</table>")), expected, "{markup}");
    }
}

#[test]
fn tables_have_captions_and_stand_within_one_another() {
    let mut page =
        page("<table><caption> The <b>list</b></caption><tr><td>a<table><tr><td>inner</table></table>");
    let tables = tables(&mut page).unwrap();
    assert_eq!((tables[0].caption.as_str(), tables.len()), ("The list", 2));
    assert_eq!(tables[0].rows, [["a inner"]]);
    assert_eq!(tables[1].rows, [["inner"]]);
    assert_eq!(page.select(&tables[1].path, 9).unwrap().len(), 1);
}

#[test]
fn a_table_that_would_fill_the_memory_is_not_told() {
    let cell = format!("<td colspan=1000 rowspan=60000>{}", "x".repeat(10_000));
    let wide = format!("<table><tr>{cell}{}</table>", "<tr><td>".repeat(1_000));
    assert!(matches!(tables(&mut page(&wide)), Err(BrowseFailure::Failed(_))));
    let deep = format!("{}{}", "<div>".repeat(400), "x".repeat(100_000));
    assert!(matches!(elements(&mut page(&deep), "div", 1_000), Err(BrowseFailure::Failed(_))));
}

#[test]
fn elements_say_what_they_are() {
    let mut page = page("<p>x</p><P CLASS='a b' Data-X=1> y <b>z</b></P>");
    let found = elements(&mut page, "p.a", 5).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].tag.as_str(), found[0].text.as_str()), ("p", "y z"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found[0].attributes, [pair("class", "a b"), pair("data-x", "1")]);
    assert_eq!(found[0].path, "html > body:nth-child(2) > p:nth-child(2)");
    assert_eq!(elements(&mut page, "p", 1).unwrap().len(), 1);
}

#[test]
fn many_rows_are_read_in_time() {
    let rows: Vec<String> =
        (0..4_000).map(|row| format!("<tr><td>{row}<td>name {row}<td>{}", row * 7)).collect();
    let mut page = page(&format!("<table>{}</table>", rows.concat()));
    assert_eq!(tables(&mut page).unwrap()[0].rows.len(), 4_000);
    assert_eq!(elements(&mut page, "tr", 4_000).unwrap().len(), 4_000);
}
