use super::*;
use crate::egress::scan::tests::meter;

fn redactor(meter: &Meter) -> Redactor<'_> {
    Redactor { meter, exact: vec![b"the-brokers-own".to_vec()] }
}

#[test]
fn nothing_private_is_kept_of_an_address() {
    let (meter, token) = (meter(), format!("ghp_{}", "aB3".repeat(12)));
    let told = |url: &str| redactor(&meter).address(url).0;
    for (url, wanted) in [
        ("https://a.example/x?page=2&sort=asc", "https://a.example:443/x?page=2&sort=asc".to_owned()),
        (
            "https://a.example/x?access_token=abc",
            "https://a.example:443/x?access_token=(redacted)".to_owned(),
        ),
        ("https://a.example/x?a=the-brokers-own", "https://a.example:443/x?a=(redacted)".to_owned()),
        ("https://a.example/x?a=the%2Dbrokers-own", "https://a.example:443/x?a=(redacted)".to_owned()),
        (&format!("https://a.example/x?q={token}"), "https://a.example:443/x?q=(redacted)".to_owned()),
        (&format!("https://a.example/x?{token}"), "https://a.example:443/x?(redacted)=".to_owned()),
        (&format!("https://a.example/{token}"), "https://a.example:443/(redacted)".to_owned()),
        ("https://user:word@a.example/../x?y=1", "(redacted)@a.example/../x".to_owned()),
        (&format!("https://{token}@a.example/"), "(redacted)".to_owned()),
        ("http://a.example/\u{1b}[31m", "http://a.example/".to_owned()),
    ] {
        let told = told(url);
        assert!(told.starts_with(&wanted) && !told.contains('\u{1b}'), "{url}: {told}, not {wanted}");
        assert!(!told.contains("aB3aB3"), "{told}");
    }
}

#[test]
fn nothing_private_is_kept_of_a_field() {
    let meter = meter();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("set-cookie", "a=b"),
        ("x-api-key", "short"),
        ("x-echo", "it was the-brokers-own"),
        ("content-type", "text/html"),
        ("location", "https://a.example/?code=1"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let told = redactor(&meter).fields(&headers);
    let kept: Vec<_> =
        told.iter().filter(|(_, value)| value != REDACTED).map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["content-type"]);
}

#[test]
fn an_archive_has_the_shape_of_har_1_2() {
    let meter = meter();
    let mut har = Har::default();
    let mut entry =
        Entry::new(Timestamp(1_763_733_600_000), "GET", &redactor(&meter), "https://a.example/x?y=1");
    entry.status = 200;
    entry.address = Some("93.184.216.34".parse().unwrap());
    har.add(Some("https://a.example:443".to_owned()), entry);
    let mut refused = Entry::new(Timestamp(0), "BREW", &redactor(&meter), "http://0x7f.1/");
    refused.stopped = Some(("AB0902", "the address is refused".to_owned()));
    har.add(None, refused);
    let archive = har.archive();
    let first = &archive["log"]["entries"][0];
    assert_eq!(archive["log"]["version"], "1.2");
    assert_eq!(first["startedDateTime"], "2025-11-21T14:00:00.000Z");
    assert_eq!(first["request"]["queryString"][0], json!({"name": "y", "value": "1"}));
    assert_eq!(first["serverIPAddress"], "93.184.216.34");
    // Every field that the format requires of an entry, a request, a response and timings.
    for (part, fields) in [
        ("", vec!["startedDateTime", "time", "request", "response", "cache", "timings"]),
        (
            "/request",
            vec![
                "method",
                "url",
                "httpVersion",
                "cookies",
                "headers",
                "queryString",
                "headersSize",
                "bodySize",
            ],
        ),
        (
            "/response",
            vec![
                "status",
                "statusText",
                "httpVersion",
                "cookies",
                "headers",
                "content",
                "redirectURL",
                "headersSize",
                "bodySize",
            ],
        ),
        ("/response/content", vec!["size", "mimeType"]),
        ("/timings", vec!["send", "wait", "receive"]),
    ] {
        for field in fields {
            assert!(first.pointer(&format!("{part}/{field}")).is_some(), "{part}/{field}");
        }
    }
    assert_eq!(archive["log"]["entries"][1]["_stopped"]["code"], "AB0902");
    let rows: Vec<_> = har
        .tallies()
        .into_iter()
        .map(|((origin, method), tally)| (origin.is_some(), method, tally.stopped))
        .collect();
    assert_eq!(rows, [(false, "other".to_owned(), 1), (true, "GET".to_owned(), 0)]);
}
