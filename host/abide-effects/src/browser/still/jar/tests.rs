use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn jar(from: &str, set: &[&str]) -> Jar {
    let jar = Jar::default();
    let mut headers = HeaderMap::new();
    for one in set {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(one).unwrap());
    }
    jar.take(&url(from), &headers);
    jar
}

fn given(jar: &Jar, to: &str) -> String {
    jar.give(&url(to)).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn cookies_go_back_to_where_they_came_from() {
    let jar = jar(
        "https://www.a.example/x/y",
        &["own=1; Secure; HttpOnly", "all=2; Domain=a.example; Path=/", "deep=3; Path=/x"],
    );
    let sorted = |to: &str| {
        let given = given(&jar, to);
        let mut all: Vec<String> = given.split("; ").map(str::to_owned).collect();
        all.sort();
        all.join(" ")
    };
    assert_eq!(sorted("https://www.a.example/x/z"), "all=2 deep=3 own=1");
    assert_eq!(sorted("https://www.a.example/"), "all=2");
    assert_eq!(sorted("https://other.a.example/x/"), "all=2");
    assert_eq!(sorted("http://www.a.example/x/"), "all=2 deep=3");
    assert_eq!(sorted("https://b.example/x/"), "");
}

#[test]
fn what_would_be_everybodys_or_too_much_is_not_kept() {
    for set in [
        "a=1; Domain=example",
        "a=1; Domain=b.example",
        "a=1; Max-Age=0",
        "no cookie at all",
        "a=1; Domain=www.a.example.evil.example",
    ] {
        assert_eq!(given(&jar("https://www.a.example/", &[set]), "https://www.a.example/"), "", "{set}");
    }
    let long = format!("a={}", "x".repeat(5_000));
    assert_eq!(given(&jar("https://www.a.example/", &[&long]), "https://www.a.example/"), "");
    let many: Vec<String> = (0..600).map(|number| format!("c{number}={}", "x".repeat(200))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let jar = jar("https://www.a.example/", &many);
    assert!(given(&jar, "https://www.a.example/").len() <= FIELD_BYTES_MAX * 2);
    assert_eq!(lock(&jar.0).iter_any().count(), COOKIES_MAX);
}
