use maud::html;

use super::{Pictures, page};

#[test]
fn a_page_asks_nobody_for_anything_and_names_its_style() {
    let text = page("A < B", "p { margin: 0 }", Pictures::None, &html! { p { "<script>" } });
    // SHA-256 of the style, in base64.
    let policy = "default-src 'none'; style-src 'sha256-7IWhgxoOGTB5NQzjGk9OPt0FwhVeBvZGoWgF9xLLh8c='; base-uri 'none'; form-action 'none'";
    assert!(text.contains(&policy.replace('\'', "&#39;")) || text.contains(policy), "{text}");
    assert!(text.contains("<title>A &lt; B</title>") && text.contains("&lt;script&gt;"), "{text}");
    assert!(page("", "", Pictures::Inside, &html! {}).contains("img-src data:;"));
}

#[test]
fn the_styles_are_those_that_pages_allow() {
    let styles = [
        include_str!("../replay/page/style.css"),
        include_str!("../pages/style.css"),
        include_str!("../sources/style.css"),
    ];
    for style in styles {
        // A style sheet that ended its element early would be another one than the one that was digested.
        assert!(!style.contains("</") && !style.contains("url(") && !style.contains("@import"), "{style}");
    }
}
