//! Large pages: right, and in time that grows with them.

#![expect(clippy::format_collect, reason = "pages of a test")]

use serde_json::json;

use super::*;

fn table(rows: usize) -> String {
    let rows = (0..rows).map(|n| format!("<tr><td>Part {n}<td>{n}.5 €<td><a href='/p/{n}'>see</a></tr>\n"));
    format!("<table><thead><tr><th>Name<th>Price<th>Url</thead><tbody>{}</table>", rows.collect::<String>())
}

#[test]
fn two_hundred_rows() {
    let found = records(&table(200), &goods(), &json!({"key": ["url"]}));
    assert_eq!(found.as_array().unwrap().len(), 200);
}

#[test]
fn twenty_thousand_rows() {
    let pages = [page("https://shop.example/", &table(20_000))];
    let ask = ask(&goods(), &json!({}));
    let found = extract(&pages, &ask).unwrap();
    assert_eq!(found.records.len(), 20_000);
    let last = &found.records[19_999];
    assert_eq!(last.value["url"], "https://shop.example/p/19999");
    assert_eq!(
        last.provenance["/price"].css,
        "html > body > table > tbody > tr:nth-of-type(20000) > td:nth-of-type(2)"
    );
}

#[test]
fn a_table_that_spans_without_end_is_bounded() {
    let wide = format!("<table><tr>{}<tr><td>x</table>", "<td colspan=1000 rowspan=65534>a".repeat(2));
    let deep = format!("<table><tr><td rowspan=0>a{}</table>", "<tr><td colspan=999>b".repeat(3_000));
    let slots = format!("<table>{}</table>", "<tr><td colspan=1000>b</tr>".repeat(3_000));
    for (html, why) in [(wide, "1000 columns"), (deep, "slots"), (slots, "slots")] {
        let told = refusal(&html, &goods(), &json!({"strategies": ["tables"]}));
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn items_that_refer_to_each_other_end() {
    let items = (0..40).map(|n| {
        format!(
            "<div id=i{n} itemscope itemprop=p itemref='{}'></div>",
            (0..40).map(|m| format!("i{m} ")).collect::<String>()
        )
    });
    let html = format!("<div itemscope itemref=i0></div>{}", items.collect::<String>());
    let told = refusal(&html, &goods(), &json!({"strategies": ["microdata"]}));
    assert!(told.contains("microdata: nothing of the kind"), "{told}");
}
