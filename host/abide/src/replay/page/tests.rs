use super::*;

#[test]
fn the_style_is_the_one_that_the_page_allows() {
    let policy = content_policy();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    // A style sheet that ended its element early would be another one than the one that was digested.
    assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
}
