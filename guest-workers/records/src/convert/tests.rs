use serde_json::{Value, json};

use super::{Context, Raw, scalar};
use crate::hints::Hints;
use crate::page::Page;
use crate::schema::Shape;
use crate::tests::page;

/// What `text` is for a field of this schema, on a page in `language`.
fn read(schema: &Value, hints: &Value, language: &str, text: &str) -> Result<Value, String> {
    let html = format!("<html lang='{language}'><base href='/shop/'>");
    let snapshot = page("https://a.example/x?y#z", &html);
    let page = Page::parse(&snapshot, &mut 0).unwrap();
    let hints: Hints = serde_json::from_value(hints.clone()).unwrap();
    let shape = Shape::of(&json!({"properties": {"f": schema}})).unwrap();
    let context = Context { page: &page, hints: &hints };
    scalar(context, &shape.fields[0], &Raw::Text(text.to_owned())).map(|read| read.value)
}

#[track_caller]
fn number(language: &str, text: &str, wanted: &Value) {
    let read = read(&json!({"type": "number"}), &json!({}), language, text);
    assert_eq!(read.as_ref().unwrap_or(&Value::Null), wanted, "{text}: {read:?}");
}

#[test]
fn numbers_as_people_write_them() {
    for (language, text, wanted) in [
        ("", "1", json!(1)),
        ("", "-1.50", json!(-1.5)),
        ("", "−5 °C", json!(-5)),
        ("", "$1,234.56", json!(1234.56)),
        ("", "1.234,56 €", json!(1234.56)),
        ("", "1 234,5", json!(1234.5)),
        ("", "1’234.50 CHF", json!(1234.5)),
        ("", "12,34,567.8", json!(1_234_567.8)),
        ("", "50 %", json!(50)),
        ("", "USD 12", json!(12)),
        ("", ".5", json!(0.5)),
        ("", "1,234", json!(1234)),
        ("de", "1,234", json!(1.234)),
        ("de", "1.234", json!(1234)),
        ("en", "1.234", json!(1.234)),
        ("", "1.234", json!(1.234)),
        ("", "0,125", json!(0.125)),
        ("", "1.5e3", json!(1500.0)),
        ("", "007", json!(7)),
        ("", "0.30", json!(0.3)),
        ("", "1\u{a0}234", json!(1234)),
    ] {
        number(language, text, &wanted);
    }
    for text in [
        "",
        "-",
        "on request",
        "3 for 10",
        "1-2",
        "1.2.3,4",
        "1,23,4",
        "12 345 67",
        "call 555 now please",
        "1.000",
        "10/12",
        "0.1234567890123456789",
        "99999999999999999999",
        "1[1]",
        "about twelve",
        "2026-01-01",
        "1e999",
        "from 12.99 to 13",
    ] {
        number("", text, &Value::Null);
    }
    let whole = |text: &str| read(&json!({"type": "integer"}), &json!({}), "", text).ok();
    assert_eq!(whole("1.234"), Some(json!(1234)));
    assert_eq!(
        read(&json!({"type": "number", "x-unit": "kg"}), &json!({}), "", "5 lb"),
        Err("`5 lb` is not in `kg`".to_owned())
    );
    assert_eq!(read(&json!({"type": "number", "x-unit": "kg"}), &json!({}), "", "5 kg"), Ok(json!(5)));
}

#[test]
fn dates_that_can_be_read_one_way() {
    let day =
        |hints: Value, text: &str| read(&json!({"type": "string", "format": "date"}), &hints, "", text).ok();
    for text in [
        "2026-03-04",
        "2026/03/04",
        "4 March 2026",
        "March 4, 2026",
        "Mar 4, 2026",
        "March 4th, 2026",
        "4. March 2026",
        "2026-03-04T23:00:00-08:00",
        "2026-03-04 10:00:00",
        "Wed, 04 Mar 2026 10:00:00 GMT",
        "Wednesday, March 4, 2026",
    ] {
        assert_eq!(day(json!({}), text), Some(json!("2026-03-04")), "{text}");
    }
    for text in ["03/04/2026", "04.03.2026", "2026-02-30", "yesterday", "Monday, March 4, 2026", "March 2026"]
    {
        assert_eq!(day(json!({}), text), None, "{text}");
    }
    assert_eq!(day(json!({"dates": ["%d/%m/%Y"]}), "03/04/2026"), Some(json!("2026-04-03")));
    let moment =
        |text: &str| read(&json!({"type": "string", "format": "date-time"}), &json!({}), "", text).ok();
    assert_eq!(moment("2026-03-04T10:00:00+02:00"), Some(json!("2026-03-04T10:00:00+02:00")));
    assert_eq!(moment("Wed, 04 Mar 2026 10:00:00 +0200"), Some(json!("2026-03-04T08:00:00Z")));
    assert_eq!(moment("2026-03-04T10:00:00"), None, "no offset, no moment");
}

#[test]
fn addresses_are_resolved_and_none_that_runs_something() {
    let address = |text: &str| read(&json!({"type": "string", "format": "uri"}), &json!({}), "", text);
    for (text, wanted) in [
        ("a b", "https://a.example/shop/a%20b"),
        ("/x?q=ä#f", "https://a.example/x?q=%C3%A4#f"),
        ("//b.example/", "https://b.example/"),
        (" ../y\n", "https://a.example/y"),
        ("?p=2", "https://a.example/shop/?p=2"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("HTTPS://B.example/%7e", "https://b.example/~"),
        ("100%", "https://a.example/shop/100%25"),
        ("x[1]", "https://a.example/shop/x%5B1%5D"),
    ] {
        assert_eq!(address(text), Ok(json!(wanted)), "{text}");
    }
    for text in [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "blob:x",
        "http://a b.example/",
        "https://[::",
    ] {
        assert!(address(text).is_err(), "{text}: {:?}", address(text));
    }
}

#[test]
fn words_for_true_and_the_spelling_of_an_enum() {
    let truth = |text: &str| read(&json!({"type": "boolean"}), &json!({"truths": ["ja"]}), "", text).ok();
    assert_eq!(
        (truth("Yes"), truth("ja"), truth("✗"), truth("maybe")),
        (Some(json!(true)), Some(json!(true)), Some(json!(false)), None)
    );
    let options = json!({"enum": ["in stock", "sold-out", 3]});
    let option = |text: &str| read(&options, &json!({}), "", text).ok();
    assert_eq!(option("In Stock"), Some(json!("in stock")));
    assert_eq!(option("https://schema.org/SoldOut"), Some(json!("sold-out")));
    assert_eq!(option("3"), Some(json!(3)));
    let nothing = read(&json!({"type": ["number", "null"]}), &json!({}), "", "—");
    assert_eq!(nothing, Ok(Value::Null));
    let text = read(&json!({"type": "string"}), &json!({}), "", " a\u{200b}\n b\u{a0}c ");
    assert_eq!(text, Ok(json!("a b c")));
}
