#![expect(clippy::format_collect, reason = "pages of a test")]

use super::*;
use crate::tests::page;

#[track_caller]
fn refused(html: &str, wanted: &str) {
    let snapshot = page("https://a.example/", html);
    let Err(Refusal::Page { why, .. }) = Page::parse(&snapshot, &mut 0) else {
        panic!("{} bytes parsed", html.len())
    };
    assert!(why.contains(wanted), "{why}");
}

#[test]
fn a_page_that_is_built_to_be_slow_is_refused_early() {
    refused(&"<div>".repeat(200_000), "512 deep");
    refused(&"<b>".repeat(200_000), "512 deep");
    refused(&(0..200_000).map(|n| format!("<font size={n}>")).collect::<String>(), "512 deep");
    refused(&(0..200_000).map(|n| format!("<p><font color={n}></p>")).collect::<String>(), "512 deep");
    refused(&"<table><td>".repeat(100_000), "512 deep");
    refused(
        &format!("<a {}>", (0..1_000_000).map(|n| format!("a{n} ")).collect::<String>()),
        "2000 attributes",
    );
    refused(&"<i></i>".repeat(700_000), "600000 nodes");
}

#[test]
fn what_only_looks_like_many_attributes_is_not_refused() {
    let words = "x ".repeat(5_000);
    for html in [
        format!("<script>if (a <b {words})</script>"),
        format!("<!-- <b {words} -->"),
        format!("<a title='{words}'>x</a>"),
        format!("<a title=\"{words}\">"),
        format!("<p>1 < 2 {words}"),
        format!("<textarea><b {words}</textarea>"),
        format!("<a href={}>", "x/".repeat(5_000)),
    ] {
        assert_eq!(guard::attributes(&html), Ok(()), "{}", &html[..20]);
    }
}

#[test]
fn paths_lead_back_whatever_the_names() {
    let html = "<body><x:y><a".to_owned()
        + "é>1</a"
        + "é></x:y><svg><linearGradient><stop/><stop/></linearGradient></svg><p>a<p>b<template><p>c</template><my-tag>d</my-tag>";
    let snapshot = page("https://a.example/", &html);
    let page = Page::parse(&snapshot, &mut 0).unwrap();
    let all = page.elements();
    assert!(all.len() > 8);
    for element in all {
        let path = page.path(element.id());
        let selector = Selector::parse(&path).unwrap_or_else(|_| panic!("{path}"));
        let hits: Vec<_> = page.select(None, &selector).iter().map(|hit| hit.id()).collect();
        assert_eq!(hits, [element.id()], "{path}");
    }
}
